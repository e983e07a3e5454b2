// NaN and Inf: which variables had a non-finite gradient at which steps, and the loss scale.
import { decodeArray, fetchJson } from "../api.js";
import { binAxis, CellGrid, INF, NAN, OVERFLOW, stepsOfBin } from "../cell_grid.js";
import { drawChart, followZoom, themeColor } from "../chart.js";
import { el, formatCount, formatSteps } from "../elements.js";

export const order = 30;
export const title = "NaN and Inf";
export const description =
  "Variables with a non-finite gradient at any step, in forward order; below them the loss scale, if the loss is scaled.";
export const dependsOn = ["run", "first", "last"];

// Width in pixels beside the cells: names and margins (an estimate).
const WIDTH_BESIDE_CELLS = 160;

export function setup(frame, view) {
  frame.grid = new CellGrid(view, (row, bin) => {
    const layer = frame.timeline.variables[row].split("/").slice(0, -1).join("/");
    view.set({ layer, step: firstStep(frame.timeline, row, bin) });
  });
  frame.scaleChart = el("div", { role: "img", "aria-label": "Loss scale and skipped steps" });
  frame.body.append(frame.grid.node, frame.scaleChart);
}

export async function draw(frame, view) {
  const bins = Math.max(50, Math.round((frame.body.clientWidth - WIDTH_BESIDE_CELLS) / 2));
  const response = await fetchJson("nonfinite", { run: view.run, ...view.stepRange, bins });
  const cells = new Map(decodeArray(response.cells).map((cell) => [`${cell[0]} ${cell[1]}`, cell]));
  const timeline = { ...response, cells };
  const hasRows = timeline.variables.length > 0;
  frame.timeline = timeline;
  frame.showNotice(summary(timeline));
  frame.csvRows = () => csvRows(timeline);
  frame.grid.node.hidden = !hasRows;
  frame.scaleChart.hidden = !timeline.is_scaled;
  if (hasRows) await drawCells(frame.grid, timeline);
  if (timeline.is_scaled) await drawLossScale(frame.scaleChart, view, timeline);
}

function firstStep({ cells, bins }, row, bin) {
  return cells.get(`${row} ${bin}`)?.[6] ?? stepsOfBin(bins, bin)[0];
}

function summary({ is_counted, num_occurrences, bins }) {
  if (!is_counted) return "NaN and Inf were not counted in this run.";
  if (!num_occurrences) return "All gradients were finite at every step.";
  return `${formatCount(num_occurrences, "occurrence")} in the whole run; ${formatCount(bins.size, "step")} per column.`;
}

async function drawCells(grid, timeline) {
  const { variables, bins, cells } = timeline;
  const marks = variables.map(() => new Uint8Array(bins.count));
  for (const [row, bin, , nan, inf] of cells.values()) {
    marks[row][bin] = nan ? NAN : inf ? INF : OVERFLOW;
  }
  await grid.draw({
    names: variables,
    bins,
    z: null,
    marks,
    cellText: (row, bin) => cellText(timeline, row, bin),
    highlightedRows: [],
    label: `Timeline of NaN and Inf in the gradients of ${formatCount(variables.length, "variable")}.`,
  });
}

function cellText({ variables, bins, cells }, row, bin) {
  const prefix = `${variables[row]}, ${formatSteps(...stepsOfBin(bins, bin))}: `;
  const cell = cells.get(`${row} ${bin}`);
  if (!cell) return `${prefix}finite`;
  const [, , steps, nan, inf, overflows, first] = cell;
  const overflowText = overflows ? `, norm beyond float32 at ${formatCount(overflows, "step")}` : "";
  return `${prefix}${nan} NaN and ${inf} Inf at ${formatCount(steps, "step")}, first at step ${first}${overflowText}`;
}

async function drawLossScale(chart, view, { bins, loss_scale, num_skipped }) {
  const x = Array.from({ length: bins.count }, (_, bin) => stepsOfBin(bins, bin)[0]);
  const scale = {
    x,
    y: decodeArray(loss_scale),
    name: "loss scale (minimum)",
    line: { color: themeColor("first"), shape: "hv" },
  };
  const skipped = {
    x,
    y: decodeArray(num_skipped),
    name: "skipped steps",
    type: "bar",
    yaxis: "y2",
    marker: { color: themeColor("inf") },
  };
  const countAxis = { rangemode: "tozero", showgrid: false, tickmode: "auto", tickformat: "d", nticks: 4 };
  await drawChart(chart, [scale, skipped], {
    height: 220,
    xaxis: binAxis(bins),
    yaxis: { type: "log", title: { text: "loss scale" }, exponentformat: "power" },
    yaxis2: { ...countAxis, overlaying: "y", side: "right", title: { text: "skipped steps" } },
    margin: { l: 70, r: 60, t: 30, b: 42 },
  });
  followZoom(chart, view);
}

function* csvRows({ variables, bins, cells }) {
  yield ["variable", "first step", "last step", "steps", "NaN", "Inf", "norm overflows", "first occurrence"];
  for (const [row, bin, ...numbers] of cells.values()) {
    yield [variables[row], ...stepsOfBin(bins, bin), ...numbers];
  }
}
