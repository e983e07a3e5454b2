// Non-finite timeline: which variable had NaN or Inf when, and what loss scaling did.
import { ask, unpack } from "../api.js";
import { colour, draw as drawChart, onZoom, stepAxis } from "../chart.js";
import { Grid, stepsOf } from "../grid.js";
import { el, stepsText } from "../page.js";

export const order = 30;
export const title = "NaN and Inf";
export const about = "Variables whose gradient ever was not finite, in forward order; loss scaling under them.";
export const watches = ["run", "first", "last"];

const [NAN, INF, OVERFLOW] = [1, 2, 3];

export function setup(frame, view) {
  frame.grid = new Grid(view, (row, bin) => {
    const layer = frame.answer.variables[row].split("/").slice(0, -1).join("/");
    view.set({ layer, step: firstStep(frame, row, bin) });
  });
  frame.scale = el("div", { role: "img", "aria-label": "Loss scale and skipped steps" });
  frame.body.append(frame.grid.node, frame.scale);
}

function firstStep(frame, row, bin) {
  return frame.cells.get(`${row} ${bin}`)?.[6] ?? stepsOf(frame.answer.bins, bin)[0];
}

export async function draw(frame, view) {
  const bins = Math.max(50, Math.round((frame.body.clientWidth - 160) / 2));
  const answer = await ask("nonfinite", { run: view.run, ...view.window, bins });
  frame.answer = answer;
  frame.cells = new Map(unpack(answer.cells).map((cell) => [`${cell[0]} ${cell[1]}`, cell]));
  frame.note(summary(answer));
  frame.rows = () => rows(answer, frame.cells);
  frame.grid.node.hidden = !answer.variables.length;
  frame.scale.hidden = !answer.is_scaled;
  if (answer.variables.length) await drawCells(frame, answer);
  if (answer.is_scaled) await drawScale(frame, view, answer);
}

function summary(answer) {
  if (!answer.is_counted) return "NaN and Inf were not counted in this run.";
  if (!answer.num_sightings) return "Every gradient was finite at every step.";
  const size = answer.bins.size;
  return `${answer.num_sightings} times in all; ${size} ${size === 1 ? "step" : "steps"} per column.`;
}

async function drawCells(frame, { variables, bins }) {
  const marks = variables.map(() => new Uint8Array(bins.number));
  for (const [row, bin, , nan, inf] of frame.cells.values()) {
    marks[row][bin] = nan ? NAN : inf ? INF : OVERFLOW;
  }
  await frame.grid.draw({
    names: variables,
    bins,
    z: null,
    marks,
    describe: (row, bin) => cellText(frame, row, bin),
    chosen: [],
    label: `Timeline of NaN and Inf in the gradients of ${variables.length} variables.`,
  });
}

function cellText({ answer, cells }, row, bin) {
  const where = `${answer.variables[row]}, ${stepsText(...stepsOf(answer.bins, bin))}: `;
  const cell = cells.get(`${row} ${bin}`);
  if (!cell) return `${where}finite`;
  const [, , steps, nan, inf, overflows, first] = cell;
  const over = overflows ? `, norm beyond float32 at ${overflows}` : "";
  return `${where}${nan} NaN and ${inf} Inf at ${steps} steps, the first ${first}${over}`;
}

async function drawScale(frame, view, answer) {
  const bins = answer.bins;
  const x = Array.from({ length: bins.number }, (_, bin) => stepsOf(bins, bin)[0]);
  const first = bins.first_step - 0.5;
  const scale = { x, y: unpack(answer.loss_scale), name: "loss scale (least)", line: { color: colour("first"), shape: "hv" } };
  const skipped = {
    x,
    y: unpack(answer.num_skipped),
    name: "skipped steps",
    type: "bar",
    yaxis: "y2",
    marker: { color: colour("inf") },
  };
  await drawChart(frame.scale, [scale, skipped], {
    height: 220,
    xaxis: stepAxis(first, first + bins.size * bins.number),
    yaxis: { type: "log", title: { text: "loss scale" }, exponentformat: "power" },
    yaxis2: { overlaying: "y", side: "right", title: { text: "skipped" }, rangemode: "tozero", showgrid: false, tickmode: "auto", tickformat: "d", nticks: 4 },
    margin: { l: 70, r: 60, t: 30, b: 42 },
  });
  onZoom(frame.scale, view);
}

function* rows(answer, cells) {
  yield ["variable", "first step", "last step", "steps", "NaN", "Inf", "overflows", "first sighting"];
  for (const [row, bin, ...numbers] of cells.values()) {
    yield [answer.variables[row], ...stepsOf(answer.bins, bin), ...numbers];
  }
}
