// Depth profile: the gradient norm of each layer at one step.
import { decodeArray, fetchJson } from "../api.js";
import { drawChart, escapeMarkup, nameTicks, themeColor } from "../chart.js";
import { el, formatNumber } from "../elements.js";

export const order = 50;
export const title = "Depth profile";
export const description = "Gradient norm of each layer at one step, from input to output, with the fitted decay (dashed).";
export const dependsOn = ["run", "step", "layer"];
export const requiredQuantities = ["gradient_norm"];

export function setup(frame, view) {
  frame.slider = el("input", { type: "range", id: "step", step: "1", "aria-label": "Step" });
  frame.slider.addEventListener("input", () => view.set({ step: Number(frame.slider.value) }));
  frame.stepOutput = el("output", { htmlFor: "step" });
  frame.controls.append(el("label", {}, "Step ", frame.slider), frame.stepOutput);
  frame.chart = el("div", { role: "img" });
  frame.body.append(frame.chart);
  frame.chart.addEventListener("click", () => frame.hoveredLayer && view.set({ layer: frame.hoveredLayer }));
}

export async function draw(frame, view) {
  const profile = await fetchJson("depth_profile", { run: view.run, step: view.step });
  const norms = decodeArray(profile.norms);
  const [min, max] = profile.steps;
  Object.assign(frame.slider, { min, max, value: profile.step });
  frame.profile = profile;
  frame.stepOutput.textContent = String(profile.step);
  frame.showNotice(`${decayText(profile.fit)}${hiddenLayersText(profile.layers, norms)}`);
  frame.csvRows = () => csvRows(profile, norms);
  frame.chart.setAttribute("aria-label", `Gradient norm over depth at step ${profile.step}. ${decayText(profile.fit)}`);
  const ticks = nameTicks(profile.layers, frame.body.clientWidth / 28, 18);
  await drawChart(frame.chart, traces(profile, norms, view.layer), {
    height: 320,
    showlegend: false,
    xaxis: { ...ticks, tickangle: -60, automargin: true, range: [-0.5, norms.length - 0.5] },
    yaxis: { type: "log", exponentformat: "power", title: { text: "gradient norm" }, ...minimumRange(norms) },
    margin: { l: 70, r: 10, t: 8, b: 60 },
  });
  if (!frame.isListening) {
    frame.isListening = true;
    frame.chart.on("plotly_hover", ({ points }) => (frame.hoveredLayer = frame.profile.layers[points[0].x]));
  }
}

// Shows at least one decade: plotly would otherwise enlarge rounding differences of equal norms.
function minimumRange(norms) {
  const logs = Array.from(norms).filter((norm) => norm > 0 && Number.isFinite(norm)).map(Math.log10);
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const middle = (low + high) / 2;
  return Math.abs(high - low) < 1 ? { range: [middle - 0.5, middle + 0.5] } : {};
}

function decayText(fit) {
  if (!fit) return "Too few layers for a fit.";
  const [perLayer, low, high] = [fit.per_layer, fit.low, fit.high].map((value) => formatNumber(value, 3));
  return `Fit: × ${perLayer} per layer towards the input (95 % interval: ${low} to ${high}).`;
}

function hiddenLayersText(layers, norms) {
  const hidden = layers.filter((_, i) => !(norms[i] > 0 && Number.isFinite(norms[i])));
  if (!hidden.length) return "";
  const more = hidden.length > 3 ? ` and ${hidden.length - 3} more` : "";
  return ` Not shown, since the norm is 0, NaN or Inf: ${hidden.slice(0, 3).join(", ")}${more}.`;
}

function traces({ layers, fit }, norms, selectedLayer) {
  const measured = {
    x: layers.map((_, i) => i),
    y: norms,
    text: layers.map((name, i) => `${escapeMarkup(name)}<br>${formatNumber(norms[i])}`),
    hovertemplate: "%{text}<extra></extra>",
    mode: "lines+markers",
    line: { color: themeColor("first") },
    marker: { size: layers.map((name) => (name === selectedLayer ? 13 : 6)) },
  };
  if (!fit) return [measured];
  const ends = [0, layers.length - 1];
  const line = { color: themeColor("second"), dash: "dash" };
  const fitted = { x: ends, y: ends.map((i) => 10 ** (fit.intercept + fit.slope * i)), mode: "lines", line, hoverinfo: "skip" };
  return [measured, fitted];
}

function* csvRows({ layers, step }, norms) {
  yield ["layer", "step", "gradient norm"];
  for (const [i, name] of layers.entries()) yield [name, step, norms[i]];
}
