// Effective learning rate: what a layer's rate really was, beside the nominal one.
import { ask, unpack } from "../api.js";
import { colour, draw as drawChart, onZoom } from "../chart.js";
import { el, fill, picker } from "../page.js";
import { smoothed } from "../smooth.js";

export const order = 40;
export const title = "Effective learning rate";
export const about = "Median over the elements of a layer with its 5–95 % band, beside the nominal rate.";
export const watches = ["run", "layer", "first", "last", "smoothing"];
export const reads = ["effective_learning_rate"];

export function setup(frame, view) {
  frame.picker = picker("Layer", (layer) => view.set({ layer }));
  frame.picker.select.id = "layer";
  frame.smoothing = el("input", { type: "range", min: "0", max: "0.99", step: "0.01", id: "smoothing" });
  frame.smoothing.addEventListener("input", () => {
    view.set({ smoothing: frame.smoothing.value === "0" ? null : frame.smoothing.value });
  });
  frame.controls.append(frame.picker.node, el("label", {}, "Smoothing ", frame.smoothing));
  frame.chart = el("div", { role: "img" });
  frame.body.append(frame.chart);
}

export async function draw(frame, view) {
  const answer = await answerFor(view);
  fill(frame.picker.select, answer.layers, answer.layer);
  const lines = Object.fromEntries(
    Object.entries(answer.lines).map(([name, { steps, values }]) => [name, { x: unpack(steps), y: unpack(values) }]),
  );
  const size = answer.bin_size;
  const binned = size > 1 ? ` One point is ${size} steps: of p5 the least, of the others the greatest.` : "";
  frame.note(`${answer.layer}.${binned}`);
  frame.rows = () => rows(answer.layer, lines);
  frame.chart.setAttribute("aria-label", `Effective learning rate of ${answer.layer} over steps.`);
  frame.smoothing.value = view.smoothing ?? "0";
  await drawChart(frame.chart, [...traces(lines), ...smoothTraces(lines, view.smoothing)], {
    height: 320,
    xaxis: { title: { text: "step" }, uirevision: `${view.first} ${view.last}` },
    yaxis: { type: "log", exponentformat: "power" },
    margin: { l: 70, r: 10, t: 40, b: 42 },
  });
  onZoom(frame.chart, view);
}

// A layer without variables in this run, e.g. chosen in another one, has no rate.
async function answerFor(view) {
  const question = { run: view.run, ...view.window, bins: 1000 };
  try {
    return await ask("effective_learning_rate", { ...question, layer: view.layer });
  } catch (error) {
    if (!view.layer) throw error;
    return ask("effective_learning_rate", question);
  }
}

function traces(lines) {
  const rate = "effective_learning_rate";
  const band = { mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false };
  const out = [];
  if (`${rate}_p5` in lines) {
    out.push(
      { ...lines[`${rate}_p5`], ...band },
      { ...lines[`${rate}_p95`], ...band, fill: "tonexty", fillcolor: colour("band"), name: "5–95 %", showlegend: true },
      { ...lines[`${rate}_p50`], name: "median", mode: "lines", line: { color: colour("first") } },
    );
  } else {
    out.push({ ...lines[rate], name: "effective", mode: "lines", line: { color: colour("first") } });
  }
  const dash = { color: colour("second"), dash: "dash" };
  return [...out, { ...lines.nominal, name: "nominal", mode: "lines", line: dash }];
}

// The line itself stays: what is smoothed may hide a step.
function smoothTraces(lines, weight) {
  if (weight === null) return [];
  const { x, y } = lines["effective_learning_rate_p50"] ?? lines["effective_learning_rate"];
  return [{ x, y: smoothed(y, Number(weight)), name: `smoothed (${weight})`, mode: "lines", line: { color: colour("text") } }];
}

function* rows(layer, lines) {
  yield ["layer", "line", "step", "value"];
  for (const [name, { x, y }] of Object.entries(lines)) {
    for (const [i, step] of x.entries()) yield [layer, name, step, y[i]];
  }
}
