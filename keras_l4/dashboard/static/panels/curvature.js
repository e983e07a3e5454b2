// Curvature: extreme eigenvalues of the Hessian, the edge of stability, and the kind of place.
import { ask, unpack } from "../api.js";
import { colour, draw as drawChart, onZoom, stepAxis } from "../chart.js";
import { numberText } from "../page.js";
import { Points } from "../points.js";

export const order = 60;
export const title = "Curvature";
export const about = "Eigenvalues of the Hessian, the sharpness and where it diverges, κ, and the kind of place.";
export const watches = ["run", "first", "last", "step"];

const HINT =
  "Not measured in this run. Train with keras_l4.callbacks.Curvature(log_dir, x, y) beside TrainingDiagnostics(log_dir).";
const MODE = { mode: "lines+markers", hoverinfo: "none" };

export function setup(frame, view) {
  frame.points = new Points((i) => view.set({ step: frame.answer.steps[i] }));
  frame.body.append(frame.points.node);
}

export async function draw(frame, view) {
  const answer = await ask("curvature", { run: view.run });
  const numbers = Object.fromEntries(Object.entries(answer.numbers).map(([name, values]) => [name, unpack(values)]));
  const number = answer.steps.length;
  frame.answer = answer;
  frame.rows = () => rows(answer, numbers);
  frame.body.hidden = !number;
  frame.note(number ? summary(answer, numbers) : HINT);
  if (number) await drawLines(frame, view, numbers);
}

function summary({ steps }, numbers) {
  const times = `${steps.length} ${steps.length === 1 ? "measurement" : "measurements"}.`;
  const known = numbers.sharpness.some((value) => !Number.isNaN(value));
  return known ? times : `${times} No threshold of stability is known for this optimizer.`;
}

async function drawLines(frame, view, numbers) {
  const { answer, points } = frame;
  const first = view.first ?? answer.first_step;
  const last = view.last ?? answer.last_step;
  const room = Math.max(0.5, (last - first) / 100);
  await drawChart(points.chart, traces(answer, numbers), {
    height: 600,
    hovermode: "closest",
    xaxis: { ...stepAxis(first - room, last + room), anchor: "y4" },
    yaxis: { domain: [0.7, 1], title: { text: "λ of the Hessian" } },
    yaxis2: { domain: [0.44, 0.66], type: "log", exponentformat: "power", title: { text: "sharpness" }, nticks: 5 },
    yaxis3: { domain: [0.2, 0.4], type: "log", exponentformat: "power", title: { text: "κ" }, nticks: 5 },
    yaxis4: { domain: [0, 0.15], type: "category", automargin: true },
    shapes: view.step === null ? [] : [lineAt(view.step)],
    margin: { l: 90, r: 10, t: 40, b: 42 },
  });
  const texts = answer.steps.map((_, i) => pointText(answer, numbers, i));
  points.show(texts, `Curvature over steps, ${summary(answer, numbers)}`);
  onZoom(points.chart, view);
}

function traces({ steps, kinds }, { largest, smallest, sharpness, threshold, condition_number }) {
  const [one, other] = [{ color: colour("first") }, { color: colour("second") }];
  const dash = { ...other, dash: "dash" };
  return [
    { x: steps, y: largest, name: "λmax", line: one, ...MODE },
    { x: steps, y: smallest, name: "λmin", line: other, marker: { symbol: "triangle-down" }, ...MODE },
    { x: steps, y: sharpness, name: "sharpness", line: one, marker: { symbol: "square" }, yaxis: "y2", ...MODE },
    { x: steps, y: threshold, name: "threshold of stability", line: dash, yaxis: "y2", ...MODE, mode: "lines" },
    { x: steps, y: condition_number, name: "κ", line: { color: colour("text") }, yaxis: "y3", ...MODE },
    { x: steps, y: kinds, name: "kind of place", marker: { color: colour("accent"), symbol: "diamond" }, yaxis: "y4", ...MODE, mode: "markers" },
  ];
}

function lineAt(step) {
  return { type: "line", x0: step, x1: step, yref: "paper", y0: 0, y1: 1, line: { color: colour("accent"), width: 1.5 } };
}

function pointText({ steps, epochs, kinds, is_lower_bound }, numbers, i) {
  const at = (name) => numberText(numbers[name][i]);
  const told = [
    `step ${steps[i]}, after ${epochs[i]} epochs: ${kinds[i]}`,
    `λmax ${at("largest")}, λmin ${at("smallest")}, κ ${is_lower_bound[i] ? "≥" : "="} ${at("condition_number")}`,
    `loss ${at("loss")}, gradient norm ${at("gradient_norm")}`,
  ];
  if (!Number.isNaN(numbers.sharpness[i])) {
    const share = numberText(Number((numbers.sharpness[i] / numbers.threshold[i]).toPrecision(3)));
    told.push(
      `sharpness ${at("sharpness")}, ${share} of the threshold ${at("threshold")}`,
      `learning rate ${at("learning_rate")}, stable up to ${at("largest_stable_learning_rate")}`,
    );
  }
  return told.join("; ");
}

function* rows({ steps, epochs, kinds, is_lower_bound }, numbers) {
  const names = Object.keys(numbers);
  yield ["step", "epoch", "kind", ...names.map((name) => name.replaceAll("_", " ")), "κ is a lower bound"];
  for (const [i, step] of steps.entries()) {
    yield [step, epochs[i], kinds[i], ...names.map((name) => numbers[name][i]), String(is_lower_bound[i])];
  }
}
