// Surface: a slice of the loss surface around the weights, and the way that they took.
import { ask, unpack } from "../api.js";
import { colour, draw as drawChart } from "../chart.js";
import { fill, numberText, picker } from "../page.js";
import { Points } from "../points.js";

export const order = 65;
export const title = "Loss surface";
export const about = "A slice around the last weights, and the way that led there: where it was outside of the slice, it lies off it.";
export const watches = ["run", "step", "shape"];

const HINT =
  'Not cut in this run. Train with keras_l4.callbacks.Curvature(log_dir, x, y, surface="pca") beside TrainingDiagnostics(log_dir).';
const SHAPES = { surface: "in three dimensions", contour: "as a map" };
const AXES = {
  random: ["random direction 1", "random direction 2"],
  hessian: ["eigenvector of λmax", "eigenvector of λmin"],
  pca: ["principal direction 1", "principal direction 2"],
};

export function setup(frame, view) {
  frame.picker = picker("Shown", (shape) => view.set({ shape }));
  frame.picker.select.id = "shape";
  frame.controls.append(frame.picker.node);
  frame.points = new Points((i) => view.set({ step: frame.cut.path_steps[i] }));
  frame.body.append(frame.points.node);
}

export async function draw(frame, view) {
  const { surface } = await ask("surface", { run: view.run });
  const shape = view.shape === "contour" ? "contour" : "surface";
  fill(frame.picker.select, Object.keys(SHAPES), shape, (name) => SHAPES[name]);
  frame.picker.node.hidden = frame.body.hidden = surface === null;
  frame.rows = surface && (() => rows(frame.cut));
  if (surface === null) return frame.note(HINT);
  frame.cut = unpacked(surface);
  frame.note(summary(frame.cut));
  await drawCut(frame, view, shape);
}

function unpacked(surface) {
  const arrays = ["multiples", "loss", "path", "path_loss"].map((name) => [name, unpack(surface[name])]);
  const cut = { ...surface, ...Object.fromEntries(arrays) };
  const finite = cut.loss.flatMap((row) => [...row]).filter(Number.isFinite);
  const isLog = finite.length > 0 && finite.every((value) => value > 0);
  const height = (value) => (Number.isFinite(value) ? (isLog ? Math.log10(value) : value) : NaN);
  return { ...cut, height, label: isLog ? "log₁₀ loss" : "loss", num_bad: cut.loss.length ** 2 - finite.length };
}

function summary({ step, epoch, directions, explained_variance, unknown_filters, num_bad }) {
  const shares = explained_variance.map((share) => `${numberText(Number((100 * share).toPrecision(3)))} %`);
  return [
    `Step ${step}, after ${epoch} epochs.`,
    directions === "random" ? "1 along an axis is a change as large as the weights, filter by filter." : "",
    shares.length ? `The directions hold ${shares.join(" and ")} of the way's variance.` : "",
    unknown_filters.length ? `Taken for one filter each: ${unknown_filters.join(", ")}.` : "",
    num_bad ? `The loss is not finite at ${num_bad} points, which are left out.` : "",
  ].join(" ");
}

async function drawCut(frame, view, shape) {
  const { cut, points } = frame;
  const { path_steps } = cut;
  const chosen = view.step === null ? -1 : path_steps.findLastIndex((step) => step <= view.step);
  const sizes = path_steps.map((_, i) => (i === chosen ? 12 : 5));
  const make = shape === "surface" ? relief : map;
  await drawChart(points.chart, make(cut, sizes), {
    height: 600,
    showlegend: false,
    uirevision: `${view.run} ${shape}`,
    ...(shape === "surface" ? { scene: scene(cut), margin: { l: 0, r: 0, t: 0, b: 0 } } : axes(cut)),
  });
  points.show(
    path_steps.map((_, i) => pointText(cut, i)),
    `Loss surface ${SHAPES[shape]}, and the way of the weights. ${summary(cut)}`,
  );
}

// The first direction goes to the right: rows of a grid are along the second.
function grid({ multiples, loss, height, label }) {
  const turned = (what) => [...multiples].map((_, j) => [...multiples].map((_, i) => what(loss[i][j])));
  return {
    x: multiples,
    y: multiples,
    z: turned(height),
    text: turned((value) => `loss ${numberText(value)}`),
    hovertemplate: "%{text}<extra></extra>",
    colorscale: "Cividis",
    colorbar: { title: { text: label }, thickness: 12, outlinewidth: 0 },
  };
}

function way({ path, path_loss }, sizes) {
  const [x, y] = [0, 1].map((axis) => path.map((place) => place[axis]));
  const marker = { color: "white", size: sizes, line: { color: "black", width: 1 } };
  const text = Array.from(path_loss, (value) => `loss ${numberText(value)}`);
  return { x, y, text, mode: "lines+markers", line: { color: "white", width: 4 }, marker, hovertemplate: "%{text}<extra></extra>" };
}

function relief(cut, sizes) {
  const line = { color: colour("accent"), width: 5 };
  const z = Array.from(cut.path_loss, cut.height);
  return [
    // The way may lie behind it.
    { type: "surface", ...grid(cut), opacity: 0.8, contours: { z: { show: true, usecolormap: true, project: { z: true } } } },
    { type: "scatter3d", ...way(cut, sizes), z, line },
  ];
}

function map(cut, sizes) {
  const { line, ...rest } = way(cut, sizes);
  return [
    { type: "contour", ...grid(cut), ncontours: 20, line: { width: 0.7 } },
    { ...rest, line: { color: "white", width: 2 } },
  ];
}

function scene({ directions, label }) {
  const axis = (text) => ({ title: { text }, color: colour("text"), gridcolor: colour("line"), backgroundcolor: colour("card") });
  const [first, second] = AXES[directions] ?? ["", ""];
  return { xaxis: axis(first), yaxis: axis(second), zaxis: axis(label), aspectmode: "cube", camera: { eye: { x: 1.6, y: 1.6, z: 1.2 } } };
}

function axes({ directions }) {
  const [first, second] = AXES[directions] ?? ["", ""];
  return { xaxis: { title: { text: first } }, yaxis: { title: { text: second } } };
}

function pointText({ path, path_steps, path_loss }, i) {
  const [first, second] = Array.from(path[i], numberText);
  return `step ${path_steps[i]}: loss ${numberText(path_loss[i])}, at ${first} and ${second} along the directions`;
}

function* rows({ multiples, loss, path, path_steps, path_loss }) {
  yield ["what", "step", "first direction", "second direction", "loss"];
  for (const [i, row] of loss.entries()) {
    for (const [j, value] of row.entries()) yield ["surface", "", multiples[i], multiples[j], value];
  }
  for (const [i, step] of path_steps.entries()) yield ["way", step, ...path[i], path_loss[i]];
}
