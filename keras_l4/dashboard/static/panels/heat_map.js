// Heat map: one quantity of all layers over steps.
import { CellGrid, stepsOfBin, WIDTH_BESIDE_CELLS } from "../cell_grid.js";
import { createSelect, setOptions } from "../elements.js";
import { fetchHeatMap, heatMapCellText, heatMapCsvRows, heatMapSummary } from "../heat_map_data.js";
import { QUANTITIES } from "../quantities.js";

export const order = 20;
export const title = "Layers over steps";
export const description =
  "One row per layer, the input at the top. Each column shows the maximum over the steps it covers; " +
  "zooming in re-bins the data. Drag to zoom, double-click to show all steps.";
export const dependsOn = ["run", "quantity", "first", "last", "layer", "finding"];

export function setup(frame, view) {
  frame.quantitySelect = createSelect("Quantity", (quantity) => view.set({ quantity }));
  frame.quantitySelect.select.id = "quantity";
  frame.controls.append(frame.quantitySelect.node);
  frame.grid = new CellGrid(view, (row, bin) => {
    const { layers, bins } = frame.heatMap;
    view.set({ layer: layers[row], step: stepsOfBin(bins, bin)[0] });
  });
  frame.body.append(frame.grid.node);
}

export async function draw(frame, view) {
  const recorded = view.runs.find((run) => run.name === view.run)?.quantities ?? {};
  const options = Object.keys(QUANTITIES).filter((name) => name in recorded);
  const quantity = options.includes(view.quantity) ? view.quantity : (options[0] ?? "gradient_norm");
  setOptions(frame.quantitySelect.select, options, quantity, (name) => QUANTITIES[name]);
  const width = frame.body.clientWidth - WIDTH_BESIDE_CELLS;
  const heatMap = await fetchHeatMap(view.run, view, quantity, width);
  const { layers } = heatMap;
  frame.heatMap = heatMap;
  frame.showNotice(heatMapSummary(heatMap));
  frame.csvRows = () => heatMapCsvRows(heatMap);
  await frame.grid.draw({
    names: layers,
    bins: heatMap.bins,
    z: heatMap.z,
    marks: heatMap.marks,
    scale: { low: heatMap.low, high: heatMap.high, title: heatMap.scale.title },
    cellText: (row, bin) => heatMapCellText(heatMap, row, bin),
    highlightedRows: layers.flatMap((name, row) => (name === view.layer ? [row] : [])),
    label: `Heat map of the ${QUANTITIES[quantity]} of ${layers.length} layers. ${heatMapSummary(heatMap)}`,
  });
}
