// Compare runs: heat maps side by side, and where the runs begin to differ.
import { fetchJson } from "../api.js";
import { CellGrid, stepsOfBin, WIDTH_BESIDE_CELLS } from "../cell_grid.js";
import { el } from "../elements.js";
import { fetchHeatMap, heatMapCellText, heatMapCsvRows, heatMapSummary } from "../heat_map_data.js";
import { QUANTITIES } from "../quantities.js";

export const order = 70;
export const title = "Compare runs";
export const description = "The quantity selected above, for several runs on the same color scale.";
export const dependsOn = ["run", "compare", "quantity", "first", "last"];
export const requiredQuantities = ["gradient_norm"];

export function setup(frame) {
  frame.runChoice = el("fieldset", {}, el("legend", {}, "Compare with"));
  frame.divergences = el("ul", { className: "divergences" });
  frame.heatMaps = el("div", { className: "side-by-side" });
  frame.grids = new Map();
  frame.body.append(frame.runChoice, frame.divergences, frame.heatMaps);
}

export async function draw(frame, view) {
  updateRunChoice(frame, view);
  const existing = new Set(view.runs.map((run) => run.name));
  const others = view.comparedRuns.filter((name) => name !== view.run && existing.has(name));
  if (!others.length) {
    frame.showNotice(view.runs.length > 1 ? "Select one or more runs." : "This log directory has one run only.");
    frame.heatMaps.replaceChildren();
    frame.divergences.replaceChildren();
    frame.grids.clear();
    return;
  }
  const quantity = view.quantity ?? "gradient_norm";
  const names = [view.run, ...others];
  const width = frame.body.clientWidth / Math.min(2, names.length) - WIDTH_BESIDE_CELLS;
  const heatMaps = await Promise.all(names.map((run) => fetchHeatMap(run, view, quantity, width)));
  frame.showNotice(`Quantity: ${QUANTITIES[quantity]}.`);
  frame.csvRows = () => csvRows(heatMaps);
  await showDivergences(frame, view.run, others);
  await drawHeatMaps(frame, view, heatMaps);
}

function updateRunChoice(frame, view) {
  frame.runChoice.hidden = view.runs.length < 2;
  const names = view.runs.map((run) => run.name).filter((name) => name !== view.run);
  const legend = frame.runChoice.firstChild;
  const labels = names.map((name) => {
    const box = el("input", { type: "checkbox", checked: view.comparedRuns.includes(name), "data-run": name });
    box.addEventListener("change", () => {
      const rest = view.comparedRuns.filter((other) => other !== name);
      view.set({ compare: JSON.stringify(box.checked ? [...rest, name] : rest) });
    });
    return el("label", {}, box, ` ${name}`);
  });
  // Replacing the focused checkbox would lose the focus.
  const focused = document.activeElement?.dataset.run;
  frame.runChoice.replaceChildren(legend, ...labels);
  if (focused) [...frame.runChoice.querySelectorAll("input")].find((box) => box.dataset.run === focused)?.focus();
}

async function showDivergences(frame, run, others) {
  const divergences = await Promise.all(others.map((other) => fetchJson("divergence", { run, other })));
  const items = divergences.map((divergence, i) => el("li", {}, `${others[i]}: ${divergenceText(divergence)}`));
  frame.divergences.replaceChildren(...items);
}

function divergenceText({ comparable, first_difference, first_significant_difference }) {
  if (!comparable) return "no common layer or no common step.";
  if (!first_difference) return "gradient norms are equal at all common steps.";
  const text = `gradient norms first differ at ${placeText(first_difference)}`;
  if (!first_significant_difference) return `${text}, but never by more than 1 %.`;
  if (placeText(first_significant_difference) === placeText(first_difference)) return `${text}, by more than 1 %.`;
  return `${text}, and first by more than 1 % at ${placeText(first_significant_difference)}.`;
}

function placeText({ step, layer, one, other }) {
  return `step ${step} in ${layer} (${one} and ${other})`;
}

async function drawHeatMaps(frame, view, heatMaps) {
  const scale = {
    low: Math.min(...heatMaps.map((heatMap) => heatMap.low)),
    high: Math.max(...heatMaps.map((heatMap) => heatMap.high)),
    title: heatMaps[0].scale.title,
  };
  const figures = heatMaps.map((heatMap) => {
    const grid = frame.grids.get(heatMap.run) ?? new CellGrid(view);
    frame.grids.set(heatMap.run, grid);
    grid.onSelect = (row, bin) => view.set({ layer: heatMap.layers[row], step: stepsOfBin(heatMap.bins, bin)[0] });
    return el("figure", {}, el("figcaption", {}, heatMap.run), grid.node);
  });
  frame.heatMaps.replaceChildren(...figures);
  for (const heatMap of heatMaps) await drawHeatMap(frame.grids.get(heatMap.run), heatMap, scale);
}

async function drawHeatMap(grid, heatMap, scale) {
  await grid.draw({
    names: heatMap.layers,
    bins: heatMap.bins,
    z: heatMap.z,
    marks: heatMap.marks,
    scale,
    cellText: (row, bin) => `${heatMap.run}: ${heatMapCellText(heatMap, row, bin)}`,
    highlightedRows: [],
    label: `Heat map of ${heatMap.run}. ${heatMapSummary(heatMap)}`,
  });
}

function* csvRows(heatMaps) {
  for (const [number, heatMap] of heatMaps.entries()) {
    const [head, ...rows] = heatMapCsvRows(heatMap);
    if (number === 0) yield ["run", ...head];
    for (const row of rows) yield [heatMap.run, ...row];
  }
}
