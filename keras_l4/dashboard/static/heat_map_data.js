// Data of the route heat_map, prepared for a grid of cells.
import { decodeArray, fetchJson } from "./api.js";
import { INF, NAN, stepsOfBin, ZERO } from "./cell_grid.js";
import { formatCount, formatNumber, formatSteps } from "./elements.js";
import { colorScale } from "./quantities.js";

/** Fetches the heat map of a run for the steps of the view, with one column per pixel at most. */
export async function fetchHeatMap(run, view, quantity, widthInPixels) {
  const bins = Math.max(50, Math.round(widthInPixels));
  const response = await fetchJson("heat_map", { run, quantity, ...view.stepRange, bins });
  const scale = colorScale(response.unit);
  const maximum = decodeArray(response.maximum);
  const z = maximum.map((row) => row.map(scale.transform));
  const nonfinite = new Map();
  for (const [row, bin, nan, inf] of decodeArray(response.nonfinite)) nonfinite.set(`${row} ${bin}`, { nan, inf });
  const marks = createMarks(maximum, nonfinite, scale);
  return { ...response, run, scale, maximum, z, nonfinite, marks, ...colorRange(z) };
}

/** Rows of marks, or null if no cell has one. Zero has no logarithm and therefore no color. */
function createMarks(maximum, nonfinite, scale) {
  let hasMarks = nonfinite.size > 0;
  const marks = maximum.map((row) =>
    Uint8Array.from(row, (value) => {
      const isZero = value === 0 && !scale.isFraction;
      hasMarks ||= isZero;
      return isZero ? ZERO : 0;
    }),
  );
  for (const [key, { nan }] of nonfinite) {
    const [row, bin] = key.split(" ");
    marks[row][bin] = nan ? NAN : INF;
  }
  return hasMarks ? marks : null;
}

function colorRange(z) {
  let [low, high] = [Infinity, -Infinity];
  for (const row of z) {
    for (const value of row) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? { low, high: Math.max(high, low + 1e-6) } : { low: 0, high: 1 };
}

/** The text of a cell, with its exact value. */
export function heatMapCellText(heatMap, row, bin) {
  const value = heatMap.maximum[row][bin];
  const { nan, inf } = nonfiniteCounts(heatMap, row, bin);
  const parts = [];
  if (nan) parts.push(`NaN at ${formatCount(nan, "step")}`);
  if (inf) parts.push(`Inf at ${formatCount(inf, "step")}`);
  if (!Number.isNaN(value)) {
    parts.push(`${heatMap.bins.size > 1 ? "maximum " : ""}${formatNumber(value)} ${heatMap.unit}`.trim());
  }
  const steps = formatSteps(...stepsOfBin(heatMap.bins, bin));
  return `${heatMap.layers[row]}, ${steps}: ${parts.join(", ") || "not measured"}`;
}

/** The text above a heat map: its steps, how they are binned, and how many are missing. */
export function heatMapSummary(heatMap) {
  const { bins, num_measured, num_missing } = heatMap;
  const steps = formatSteps(stepsOfBin(bins, 0)[0], stepsOfBin(bins, bins.count - 1)[1]);
  const binning = bins.size === 1 ? "one step per column" : `maximum over ${bins.size} steps per column`;
  const missing = num_missing
    ? ` TensorBoard dropped ${formatCount(num_missing, "step")}. To keep all, start it with --samples_per_plugin=keras_l4=0.`
    : "";
  return `Showing ${steps}, ${binning}; measured at ${formatCount(num_measured, "step")}.${missing}`;
}

/** Rows of the CSV file: the measured cells. */
export function* heatMapCsvRows(heatMap) {
  yield ["layer", "first step", "last step", `maximum ${heatMap.quantity}`, "steps with NaN", "steps with Inf"];
  for (const [row, name] of heatMap.layers.entries()) {
    for (const [bin, value] of heatMap.maximum[row].entries()) {
      const { nan, inf } = nonfiniteCounts(heatMap, row, bin);
      if (nan || inf || !Number.isNaN(value)) yield [name, ...stepsOfBin(heatMap.bins, bin), value, nan, inf];
    }
  }
}

function nonfiniteCounts({ nonfinite }, row, bin) {
  return nonfinite.get(`${row} ${bin}`) ?? { nan: 0, inf: 0 };
}
