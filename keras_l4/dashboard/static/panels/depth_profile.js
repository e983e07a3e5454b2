// Depth profile: the gradient norm over depth at one step.
import { ask, unpack } from "../api.js";
import { colour, draw as drawChart, nameTicks, plain } from "../chart.js";
import { el, numberText } from "../page.js";

export const order = 50;
export const title = "Depth profile";
export const about = "Gradient norm from the first layer to the last at one step, and the decay fitted to it.";
export const watches = ["run", "step", "layer"];
export const reads = ["gradient_norm"];

export function setup(frame, view) {
  frame.slider = el("input", { type: "range", id: "step", step: "1", "aria-label": "Step" });
  frame.slider.addEventListener("input", () => view.set({ step: Number(frame.slider.value) }));
  frame.shown = el("output", { htmlFor: "step" });
  frame.controls.append(el("label", {}, "Step ", frame.slider), frame.shown);
  frame.chart = el("div", { role: "img" });
  frame.body.append(frame.chart);
  frame.chart.addEventListener("click", () => frame.picked && view.set({ layer: frame.picked }));
}

export async function draw(frame, view) {
  const answer = await ask("depth_profile", { run: view.run, step: view.step });
  const norms = unpack(answer.norms);
  const [min, max] = answer.steps;
  Object.assign(frame.slider, { min, max, value: answer.step });
  frame.shown.textContent = String(answer.step);
  frame.note(`${decayText(answer.fit)}${spoiledText(answer.layers, norms)}`);
  frame.rows = () => rows(answer, norms);
  frame.chart.setAttribute("aria-label", `Gradient norm over depth at step ${answer.step}. ${decayText(answer.fit)}`);
  await drawChart(frame.chart, traces(answer, norms, view.layer), {
    height: 320,
    showlegend: false,
    xaxis: { ...nameTicks(answer.layers, frame.body.clientWidth / 28, 18), tickangle: -60, automargin: true, range: [-0.5, norms.length - 0.5] },
    yaxis: { type: "log", exponentformat: "power", title: { text: "gradient norm" } },
    margin: { l: 70, r: 10, t: 8, b: 60 },
  });
  if (!frame.isListening) {
    frame.isListening = true;
    frame.chart.on("plotly_hover", ({ points }) => (frame.picked = answer.layers[points[0].x]));
  }
}

function decayText(fit) {
  if (!fit) return "Too few layers for a fit.";
  const { per_layer, low, high } = fit;
  return `× ${numberText3(per_layer)} from layer to layer towards the input (95 %: ${numberText3(low)} to ${numberText3(high)}).`;
}

function numberText3(value) {
  return String(Number(value.toPrecision(3)));
}

function spoiledText(layers, norms) {
  const bad = layers.filter((_, i) => !(norms[i] > 0 && Number.isFinite(norms[i])));
  if (!bad.length) return "";
  return ` Not on the logarithmic axis, being 0, NaN or Inf: ${bad.slice(0, 3).join(", ")}${bad.length > 3 ? ` and ${bad.length - 3} more` : ""}.`;
}

function traces({ layers, fit }, norms, chosen) {
  const x = layers.map((_, i) => i);
  const sizes = layers.map((name) => (name === chosen ? 13 : 6));
  const text = layers.map((name, i) => `${plain(name)}<br>${numberText(norms[i])}`);
  const measured = {
    x,
    y: norms,
    text,
    hovertemplate: "%{text}<extra></extra>",
    mode: "lines+markers",
    line: { color: colour("first") },
    marker: { size: sizes },
  };
  if (!fit) return [measured];
  const ends = [0, layers.length - 1];
  const line = { color: colour("second"), dash: "dash" };
  const fitted = { x: ends, y: ends.map((i) => 10 ** (fit.intercept + fit.slope * i)), mode: "lines", line, hoverinfo: "skip" };
  return [measured, fitted];
}

function* rows({ layers, step }, norms) {
  yield ["layer", "step", "gradient norm"];
  for (const [i, name] of layers.entries()) yield [name, step, norms[i]];
}
