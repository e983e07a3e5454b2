// Effective learning rate: what the optimizer applied to the elements of a layer, and the nominal rate.
import { decodeArray, fetchJson } from "../api.js";
import { drawChart, followZoom, themeColor } from "../chart.js";
import { createSelect, el, setOptions } from "../elements.js";
import { smooth } from "../smoothing.js";

export const order = 40;
export const title = "Effective learning rate";
export const description = "Median over the elements of a layer with the 5–95 % band, and the nominal learning rate.";
export const dependsOn = ["run", "layer", "first", "last", "smoothing"];
export const requiredQuantities = ["effective_learning_rate"];

const ROUTE = "effective_learning_rate";
const MAX_POINTS = 1000;

export function setup(frame, view) {
  frame.layers = createSelect("Layer", (layer) => view.set({ layer }));
  frame.layers.select.id = "layer";
  frame.smoothing = el("input", { type: "range", min: "0", max: "0.99", step: "0.01", id: "smoothing" });
  frame.smoothing.addEventListener("input", () => {
    view.set({ smoothing: frame.smoothing.value === "0" ? null : frame.smoothing.value });
  });
  frame.controls.append(frame.layers.node, el("label", {}, "Smoothing ", frame.smoothing));
  frame.chart = el("div", { role: "img" });
  frame.body.append(frame.chart);
}

export async function draw(frame, view) {
  const { layer, layers, bin_size, lines: encodedLines } = await fetchRates(view);
  setOptions(frame.layers.select, layers, layer);
  const lines = Object.fromEntries(
    Object.entries(encodedLines).map(([name, { steps, values }]) => [name, { x: decodeArray(steps), y: decodeArray(values) }]),
  );
  const binning = bin_size > 1 ? ` Each point covers ${bin_size} steps: the minimum of p5, the maximum of the other lines.` : "";
  frame.showNotice(`${layer}.${binning}`);
  frame.csvRows = () => csvRows(layer, lines);
  frame.chart.setAttribute("aria-label", `Effective learning rate of ${layer} over steps.`);
  frame.smoothing.value = view.smoothing ?? "0";
  await drawChart(frame.chart, [...traces(lines), ...smoothedTraces(lines, view.smoothing)], {
    height: 320,
    xaxis: { title: { text: "step" }, uirevision: `${view.first} ${view.last}` },
    yaxis: { type: "log", exponentformat: "power" },
    margin: { l: 70, r: 10, t: 40, b: 42 },
  });
  followZoom(frame.chart, view);
}

// The selected layer may have no rate in this run, for instance if it was selected in another run.
// The route then shows the first layer.
async function fetchRates(view) {
  const parameters = { run: view.run, ...view.stepRange, bins: MAX_POINTS };
  try {
    return await fetchJson(ROUTE, { ...parameters, layer: view.layer });
  } catch (error) {
    if (!view.layer) throw error;
    return fetchJson(ROUTE, parameters);
  }
}

function traces(lines) {
  const rate = "effective_learning_rate";
  const solid = { mode: "lines", line: { color: themeColor("first") } };
  const dashed = { mode: "lines", line: { color: themeColor("second"), dash: "dash" } };
  const bandEdge = { mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false };
  const band = { ...bandEdge, fill: "tonexty", fillcolor: themeColor("band"), showlegend: true };
  const effective =
    `${rate}_p5` in lines
      ? [
          { ...lines[`${rate}_p5`], ...bandEdge },
          { ...lines[`${rate}_p95`], ...band, name: "5–95 %" },
          { ...lines[`${rate}_p50`], ...solid, name: "median" },
        ]
      : [{ ...lines[rate], ...solid, name: "effective" }];
  return [...effective, { ...lines.nominal, ...dashed, name: "nominal" }];
}

// Drawn in addition to the line itself, since smoothing can hide a single step.
function smoothedTraces(lines, weight) {
  if (weight === null) return [];
  const { x, y } = lines["effective_learning_rate_p50"] ?? lines["effective_learning_rate"];
  return [{ x, y: smooth(y, Number(weight)), name: `smoothed (${weight})`, mode: "lines", line: { color: themeColor("text") } }];
}

function* csvRows(layer, lines) {
  yield ["layer", "line", "step", "value"];
  for (const [name, { x, y }] of Object.entries(lines)) {
    for (const [i, step] of x.entries()) yield [layer, name, step, y[i]];
  }
}
