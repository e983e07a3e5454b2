// Answers of the route heat_map, ready for a grid.
import { ask, unpack } from "./api.js";
import { stepsOf } from "./grid.js";
import { numberText, stepsText } from "./page.js";
import { scaleOf } from "./quantities.js";

const [NAN, INF, ZERO] = [1, 2, 4];

/** The heat map of one run, as the view wants it. */
export async function heatOf(run, view, quantity, width) {
  const answer = await ask("heat_map", { run, quantity, ...view.window, bins: Math.max(50, Math.round(width)) });
  const scale = scaleOf(answer.unit);
  const maximum = unpack(answer.maximum);
  const z = maximum.map((row) => row.map(scale.place));
  const counts = new Map();
  for (const [row, bin, nan, inf] of unpack(answer.not_finite)) counts.set(`${row} ${bin}`, { nan, inf });
  return { ...answer, run, scale, maximum, z, counts, marks: marksOf(maximum, counts, scale), ...range(z) };
}

function marksOf(maximum, counts, scale) {
  let any = counts.size > 0;
  const marks = maximum.map((row) =>
    Uint8Array.from(row, (value) => {
      const isZero = value === 0 && !scale.isShare;
      any ||= isZero;
      return isZero ? ZERO : 0;
    }),
  );
  for (const [key, { nan }] of counts) {
    const [row, bin] = key.split(" ");
    marks[row][bin] = nan ? NAN : INF;
  }
  return any ? marks : null;
}

function range(z) {
  let [low, high] = [Infinity, -Infinity];
  for (const row of z) {
    for (const value of row) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? { low, high: Math.max(high, low + 1e-6) } : { low: 0, high: 1 };
}

/** What a cell says, exactly. */
export function cellText(heat, row, bin) {
  const [first, last] = stepsOf(heat.bins, bin);
  const value = heat.maximum[row][bin];
  const { nan, inf } = heat.counts.get(`${row} ${bin}`) ?? { nan: 0, inf: 0 };
  const told = [];
  if (nan) told.push(`NaN at ${nan} of its steps`);
  if (inf) told.push(`Inf at ${inf} of its steps`);
  if (!Number.isNaN(value)) told.push(`${heat.bins.size > 1 ? "maximum " : ""}${numberText(value)} ${heat.unit}`.trim());
  return `${heat.layers[row]}, ${stepsText(first, last)}: ${told.join(", ") || "not measured"}`;
}

/** How many steps a column holds, and which are not there at all. */
export function binText(heat) {
  const size = heat.bins.size;
  const [first, last] = [stepsOf(heat.bins, 0)[0], stepsOf(heat.bins, heat.bins.number - 1)[1]];
  const binned = size === 1 ? "one step per column" : `the maximum of ${size} steps per column`;
  const lost = heat.num_missing
    ? ` TensorBoard has not kept ${heat.num_missing} steps: start it with --samples_per_plugin=keras_l4=0.`
    : "";
  const shown = stepsText(first, last);
  return `${shown}, ${binned}; measured at ${heat.num_measured} steps.${lost}`;
}

export function* heatRows(heat) {
  yield ["layer", "first step", "last step", `maximum ${heat.quantity}`, "steps with NaN", "steps with Inf"];
  for (const [row, name] of heat.layers.entries()) {
    for (const [bin, value] of heat.maximum[row].entries()) {
      const { nan, inf } = heat.counts.get(`${row} ${bin}`) ?? { nan: 0, inf: 0 };
      if (nan || inf || !Number.isNaN(value)) yield [name, ...stepsOf(heat.bins, bin), value, nan, inf];
    }
  }
}
