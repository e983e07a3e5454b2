// Heat map: one quantity of all layers over all steps.
import { Grid, stepsOf } from "../grid.js";
import { binText, cellText, heatOf, heatRows } from "../heat.js";
import { fill, picker } from "../page.js";
import { QUANTITIES } from "../quantities.js";

export const order = 20;
export const title = "Layer × step";
export const about = "Layers in forward order, the input on top. Drag to zoom, double-click for all steps.";
export const watches = ["run", "quantity", "first", "last", "layer", "finding"];

export function setup(frame, view) {
  frame.picker = picker("Quantity", (quantity) => view.set({ quantity }));
  frame.picker.select.id = "quantity";
  frame.controls.append(frame.picker.node);
  frame.grid = new Grid(view, (row, bin) => {
    view.set({ layer: frame.heat.layers[row], step: stepsOf(frame.heat.bins, bin)[0] });
  });
  frame.body.append(frame.grid.node);
}

export async function draw(frame, view) {
  const known = view.runs.find((run) => run.name === view.run)?.quantities ?? {};
  const offered = Object.keys(QUANTITIES).filter((name) => name in known);
  const quantity = offered.includes(view.quantity) ? view.quantity : (offered[0] ?? "gradient_norm");
  fill(frame.picker.select, offered, quantity, (name) => QUANTITIES[name]);
  const heat = await heatOf(view.run, view, quantity, frame.body.clientWidth - 220);
  frame.heat = heat;
  frame.note(binText(heat));
  frame.rows = () => heatRows(heat);
  await frame.grid.draw({
    names: heat.layers,
    bins: heat.bins,
    z: heat.z,
    marks: heat.marks,
    scale: { low: heat.low, high: heat.high, title: heat.scale.title },
    describe: (row, bin) => cellText(heat, row, bin),
    chosen: heat.layers.flatMap((name, row) => (name === view.layer ? [row] : [])),
    label: `Heat map of the ${QUANTITIES[quantity]} of ${heat.layers.length} layers, ${binText(heat)}`,
  });
}
