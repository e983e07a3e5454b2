// Curvature: eigenvalues of the Hessian, the stability threshold, and the kind of point.
import { decodeArray, fetchJson } from "../api.js";
import { drawChart, followZoom, stepAxis, themeColor } from "../chart.js";
import { formatCount, formatNumber } from "../elements.js";
import { PointChart } from "../point_chart.js";

export const order = 60;
export const title = "Curvature";
export const description =
  "Extreme eigenvalues λ of the Hessian, the sharpness and the threshold above which training becomes " +
  "unstable, the condition number κ, and the kind of point (saddle, minimum, …).";
export const dependsOn = ["run", "first", "last", "step"];

const EMPTY_TEXT =
  "Not measured in this run. Train with keras_l4.callbacks.Curvature(log_dir, x, y) in addition to TrainingDiagnostics(log_dir).";
const LINE = { mode: "lines+markers", hoverinfo: "none" };

export function setup(frame, view) {
  frame.pointChart = new PointChart((i) => view.set({ step: frame.measurements.steps[i] }));
  frame.body.append(frame.pointChart.node);
}

export async function draw(frame, view) {
  const response = await fetchJson("curvature", { run: view.run });
  const numbers = Object.fromEntries(Object.entries(response.numbers).map(([name, values]) => [name, decodeArray(values)]));
  const measurements = { ...response, numbers };
  const isEmpty = measurements.steps.length === 0;
  frame.measurements = measurements;
  frame.csvRows = () => csvRows(measurements);
  frame.body.hidden = isEmpty;
  frame.showNotice(isEmpty ? EMPTY_TEXT : summary(measurements));
  if (!isEmpty) await drawLines(frame, view, measurements);
}

function summary({ steps, numbers }) {
  const count = formatCount(steps.length, "measurement");
  const hasThreshold = numbers.sharpness.some((value) => !Number.isNaN(value));
  return hasThreshold ? `${count}.` : `${count}. The stability threshold of this optimizer is not known.`;
}

async function drawLines({ pointChart }, view, measurements) {
  const first = view.first ?? measurements.first_step;
  const last = view.last ?? measurements.last_step;
  const padding = Math.max(0.5, (last - first) / 100);
  const logAxis = { type: "log", exponentformat: "power", nticks: 5 };
  await drawChart(pointChart.chart, traces(measurements), {
    height: 600,
    hovermode: "closest",
    xaxis: { ...stepAxis(first - padding, last + padding), anchor: "y4" },
    yaxis: { domain: [0.7, 1], title: { text: "λ of the Hessian" } },
    yaxis2: { ...logAxis, domain: [0.44, 0.66], title: { text: "sharpness" } },
    yaxis3: { ...logAxis, domain: [0.2, 0.4], title: { text: "κ" } },
    yaxis4: { domain: [0, 0.15], type: "category", automargin: true },
    shapes: view.step === null ? [] : [verticalLine(view.step)],
    margin: { l: 90, r: 10, t: 40, b: 42 },
  });
  const texts = measurements.steps.map((_, i) => pointText(measurements, i));
  pointChart.describe(texts, `Curvature over steps. ${summary(measurements)}`);
  followZoom(pointChart.chart, view);
}

function traces({ steps, kinds, numbers }) {
  const { largest, smallest, sharpness, threshold, condition_number } = numbers;
  const [first, second] = [{ color: themeColor("first") }, { color: themeColor("second") }];
  const dashed = { ...second, dash: "dash" };
  const diamond = { color: themeColor("accent"), symbol: "diamond" };
  return [
    { x: steps, y: largest, name: "λmax", line: first, ...LINE },
    { x: steps, y: smallest, name: "λmin", line: second, marker: { symbol: "triangle-down" }, ...LINE },
    { x: steps, y: sharpness, name: "sharpness", line: first, marker: { symbol: "square" }, yaxis: "y2", ...LINE },
    { x: steps, y: threshold, name: "stability threshold", line: dashed, yaxis: "y2", ...LINE, mode: "lines" },
    { x: steps, y: condition_number, name: "κ", line: { color: themeColor("text") }, yaxis: "y3", ...LINE },
    { x: steps, y: kinds, name: "kind of point", marker: diamond, yaxis: "y4", ...LINE, mode: "markers" },
  ];
}

function verticalLine(step) {
  return { type: "line", x0: step, x1: step, yref: "paper", y0: 0, y1: 1, line: { color: themeColor("accent"), width: 1.5 } };
}

function pointText({ steps, epochs, kinds, is_lower_bound, numbers }, i) {
  const text = (name) => formatNumber(numbers[name][i]);
  const parts = [
    `step ${steps[i]}, after ${formatCount(epochs[i], "epoch")}: ${kinds[i]}`,
    `λmax ${text("largest")}, λmin ${text("smallest")}, κ ${is_lower_bound[i] ? "≥" : "="} ${text("condition_number")}`,
    `loss ${text("loss")}, gradient norm ${text("gradient_norm")}`,
  ];
  if (!Number.isNaN(numbers.sharpness[i])) {
    const ratio = formatNumber(numbers.sharpness[i] / numbers.threshold[i], 3);
    parts.push(
      `sharpness ${text("sharpness")}, which is ${ratio} of the threshold ${text("threshold")}`,
      `learning rate ${text("learning_rate")}, stable up to ${text("largest_stable_learning_rate")}`,
    );
  }
  return parts.join("; ");
}

function* csvRows({ steps, epochs, kinds, is_lower_bound, numbers }) {
  const names = Object.keys(numbers);
  yield ["step", "epoch", "kind", ...names.map((name) => name.replaceAll("_", " ")), "κ is a lower bound"];
  for (const [i, step] of steps.entries()) {
    yield [step, epochs[i], kinds[i], ...names.map((name) => numbers[name][i]), String(is_lower_bound[i])];
  }
}
