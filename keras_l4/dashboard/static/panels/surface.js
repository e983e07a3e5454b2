// Loss surface: a slice of the loss around the weights, and the path of the weights.
import { decodeArray, fetchJson } from "../api.js";
import { drawChart, themeColor } from "../chart.js";
import { createSelect, formatCount, formatNumber, setOptions } from "../elements.js";
import { PointChart } from "../point_chart.js";

export const order = 65;
export const title = "Loss surface";
export const description =
  "The loss on a plane through the last weights, and the path of the weights, projected onto that plane. " +
  "Earlier weights may lie off the plane: their loss is then above or below the surface.";
export const dependsOn = ["run", "step", "shape"];

const EMPTY_TEXT =
  'Not measured in this run. Train with keras_l4.callbacks.Curvature(log_dir, x, y, surface="pca") in addition to TrainingDiagnostics(log_dir).';
const SHAPES = { surface: "3D surface", contour: "contour map" };
const AXIS_TITLES = {
  random: ["random direction 1", "random direction 2"],
  hessian: ["eigenvector of λmax", "eigenvector of λmin"],
  pca: ["principal direction 1", "principal direction 2"],
};
const HOVER = "%{text}<extra></extra>";

export function setup(frame, view) {
  frame.shapes = createSelect("Show as", (shape) => view.set({ shape }));
  frame.shapes.select.id = "shape";
  frame.controls.append(frame.shapes.node);
  frame.pointChart = new PointChart((i) => view.set({ step: frame.slice.path_steps[i] }));
  frame.body.append(frame.pointChart.node);
}

export async function draw(frame, view) {
  const { surface } = await fetchJson("surface", { run: view.run });
  const shape = view.shape === "contour" ? "contour" : "surface";
  setOptions(frame.shapes.select, Object.keys(SHAPES), shape, (name) => SHAPES[name]);
  frame.shapes.node.hidden = frame.body.hidden = surface === null;
  frame.csvRows = surface && (() => csvRows(frame.slice));
  if (surface === null) return frame.showNotice(EMPTY_TEXT);
  frame.slice = decodeSlice(surface);
  frame.showNotice(summary(frame.slice));
  await drawSlice(frame, view, shape);
}

/** Adds `heightOf(loss)`: its logarithm, if every finite loss is positive. */
function decodeSlice(surface) {
  const arrays = ["multiples", "loss", "path", "path_loss"].map((name) => [name, decodeArray(surface[name])]);
  const slice = { ...surface, ...Object.fromEntries(arrays) };
  const finite = slice.loss.flatMap((row) => [...row]).filter(Number.isFinite);
  const isLog = finite.length > 0 && finite.every((value) => value > 0);
  const heightOf = (value) => (Number.isFinite(value) ? (isLog ? Math.log10(value) : value) : NaN);
  return { ...slice, heightOf, lossTitle: isLog ? "log₁₀ loss" : "loss", numNonfinite: slice.loss.length ** 2 - finite.length };
}

function summary({ step, epoch, directions, explained_variance, unknown_filters, numNonfinite }) {
  const percentages = explained_variance.map((fraction) => `${formatNumber(100 * fraction, 3)} %`);
  return [
    `Step ${step}, after ${formatCount(epoch, "epoch")}.`,
    directions === "random" ? "A distance of 1 changes each filter by its own norm." : "",
    percentages.length ? `The directions explain ${percentages.join(" and ")} of the variance of the path.` : "",
    unknown_filters.length ? `Treated as a single filter: ${unknown_filters.join(", ")}.` : "",
    numNonfinite ? `The loss is not finite at ${formatCount(numNonfinite, "point")}, left blank.` : "",
  ].join(" ");
}

async function drawSlice({ slice, pointChart }, view, shape) {
  const { path_steps } = slice;
  const selected = view.step === null ? -1 : path_steps.findLastIndex((step) => step <= view.step);
  const sizes = path_steps.map((_, i) => (i === selected ? 12 : 5));
  const is3d = shape === "surface";
  await drawChart(pointChart.chart, is3d ? surfaceTraces(slice, sizes) : contourTraces(slice, sizes), {
    height: 600,
    showlegend: false,
    uirevision: `${view.run} ${shape}`,
    ...(is3d ? { scene: surfaceScene(slice), margin: { l: 0, r: 0, t: 0, b: 0 } } : contourAxes(slice)),
  });
  pointChart.describe(
    path_steps.map((_, i) => pointText(slice, i)),
    `Loss surface as a ${SHAPES[shape]}, with the path of the weights. ${summary(slice)}`,
  );
}

// `loss` has the first direction along its rows. Plotly draws rows along y, so it is transposed.
function gridTrace({ multiples, loss, heightOf, lossTitle }) {
  const transposed = (of) => [...multiples].map((_, j) => [...multiples].map((_, i) => of(loss[i][j])));
  return {
    x: multiples,
    y: multiples,
    z: transposed(heightOf),
    text: transposed(lossText),
    hovertemplate: HOVER,
    colorscale: "Cividis",
    colorbar: { title: { text: lossTitle }, thickness: 12, outlinewidth: 0 },
  };
}

function pathTrace({ path, path_loss }, sizes) {
  const [x, y] = [0, 1].map((axis) => path.map((point) => point[axis]));
  const marker = { color: "white", size: sizes, line: { color: "black", width: 1 } };
  return { x, y, text: Array.from(path_loss, lossText), mode: "lines+markers", marker, hovertemplate: HOVER };
}

function surfaceTraces(slice, sizes) {
  const line = { color: themeColor("accent"), width: 5 };
  const z = Array.from(slice.path_loss, slice.heightOf);
  const contours = { z: { show: true, usecolormap: true, project: { z: true } } };
  return [
    // Slightly transparent, since the path may be behind the surface.
    { type: "surface", ...gridTrace(slice), opacity: 0.8, contours },
    { type: "scatter3d", ...pathTrace(slice, sizes), z, line },
  ];
}

function contourTraces(slice, sizes) {
  return [
    { type: "contour", ...gridTrace(slice), ncontours: 20, line: { width: 0.7 } },
    { ...pathTrace(slice, sizes), line: { color: "white", width: 2 } },
  ];
}

function surfaceScene({ directions, lossTitle }) {
  const colors = { color: themeColor("text"), gridcolor: themeColor("line"), backgroundcolor: themeColor("card") };
  const axis = (text) => ({ title: { text }, ...colors });
  const [first, second] = AXIS_TITLES[directions] ?? ["", ""];
  return { xaxis: axis(first), yaxis: axis(second), zaxis: axis(lossTitle), aspectmode: "cube", camera: { eye: { x: 1.6, y: 1.6, z: 1.2 } } };
}

function contourAxes({ directions }) {
  const [first, second] = AXIS_TITLES[directions] ?? ["", ""];
  return { xaxis: { title: { text: first } }, yaxis: { title: { text: second } } };
}

function lossText(loss) {
  return `loss ${formatNumber(loss)}`;
}

function pointText({ path, path_steps, path_loss }, i) {
  const [first, second] = Array.from(path[i], (value) => formatNumber(value));
  return `step ${path_steps[i]}: ${lossText(path_loss[i])}, at (${first}, ${second})`;
}

function* csvRows({ multiples, loss, path, path_steps, path_loss }) {
  yield ["part", "step", "first direction", "second direction", "loss"];
  for (const [i, row] of loss.entries()) {
    for (const [j, value] of row.entries()) yield ["surface", "", multiples[i], multiples[j], value];
  }
  for (const [i, step] of path_steps.entries()) yield ["path", step, ...path[i], path_loss[i]];
}
