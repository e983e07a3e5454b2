// Compare runs: side by side on the same colours, and where they part.
import { ask } from "../api.js";
import { Grid, stepsOf } from "../grid.js";
import { binText, cellText, heatOf, heatRows } from "../heat.js";
import { el } from "../page.js";
import { QUANTITIES } from "../quantities.js";

export const order = 70;
export const title = "Compare runs";
export const about = "The quantity chosen above, of several runs on the same colours.";
export const watches = ["run", "compare", "quantity", "first", "last"];
export const reads = ["gradient_norm"];

export function setup(frame) {
  frame.choices = el("fieldset", {}, el("legend", {}, "Compare with"));
  frame.parting = el("ul", { className: "parting" });
  frame.heats = el("div", { className: "side-by-side" });
  frame.grids = new Map();
  frame.body.append(frame.choices, frame.parting, frame.heats);
}

export async function draw(frame, view) {
  offer(frame, view);
  const known = new Set(view.runs.map((run) => run.name));
  const others = view.others.filter((name) => name !== view.run && known.has(name));
  if (!others.length) {
    frame.note(view.runs.length > 1 ? "Choose one run or more." : "There is one run only.");
    frame.heats.replaceChildren();
    frame.parting.replaceChildren();
    frame.grids.clear();
    return;
  }
  const quantity = view.quantity ?? "gradient_norm";
  const names = [view.run, ...others];
  const width = frame.body.clientWidth / Math.min(2, names.length) - 220;
  const heats = await Promise.all(names.map((run) => heatOf(run, view, quantity, width)));
  frame.note(QUANTITIES[quantity]);
  frame.rows = () => together(heats);
  await tellPartings(frame, view.run, others);
  await drawHeats(frame, view, heats);
}

function offer(frame, view) {
  frame.choices.hidden = view.runs.length < 2;
  const names = view.runs.map((run) => run.name).filter((name) => name !== view.run);
  const legend = frame.choices.firstChild;
  const boxes = names.map((name) => {
    const box = el("input", { type: "checkbox", checked: view.others.includes(name), "data-run": name });
    box.addEventListener("change", () => {
      const kept = view.others.filter((other) => other !== name);
      view.set({ compare: JSON.stringify(box.checked ? [...kept, name] : kept) });
    });
    return el("label", {}, box, ` ${name}`);
  });
  const focused = document.activeElement?.dataset.run;
  frame.choices.replaceChildren(legend, ...boxes);
  if (focused) [...frame.choices.querySelectorAll("input")].find((box) => box.dataset.run === focused)?.focus();
}

async function tellPartings(frame, run, others) {
  const answers = await Promise.all(others.map((other) => ask("parting", { run, other })));
  frame.parting.replaceChildren(...answers.map((answer, i) => el("li", {}, partingText(answer, others[i]))));
}

function partingText({ comparable, at_all, clearly }, other) {
  if (!comparable) return `${other}: no layer, or no step, in common.`;
  if (!at_all) return `${other}: gradient norms are equal at all steps that both have.`;
  const place = (what, p) => `${what} at step ${p.step} in ${p.layer} (gradient norm ${p.one} and ${p.other})`;
  const apart = clearly ? `; ${place("by more than 1 %", clearly)}` : "";
  return `${other}: ${place("differs", at_all)}${apart}.`;
}

async function drawHeats(frame, view, heats) {
  const scale = {
    low: Math.min(...heats.map((heat) => heat.low)),
    high: Math.max(...heats.map((heat) => heat.high)),
    title: heats[0].scale.title,
  };
  const nodes = heats.map((heat) => {
    const grid = frame.grids.get(heat.run) ?? new Grid(view, () => {});
    frame.grids.set(heat.run, grid);
    grid.onPick = (row, bin) => view.set({ layer: heat.layers[row], step: stepsOf(heat.bins, bin)[0] });
    return el("figure", {}, el("figcaption", {}, heat.run), grid.node);
  });
  frame.heats.replaceChildren(...nodes);
  for (const heat of heats) await drawHeat(frame.grids.get(heat.run), heat, scale);
}

async function drawHeat(grid, heat, scale) {
  await grid.draw({
    names: heat.layers,
    bins: heat.bins,
    z: heat.z,
    marks: heat.marks,
    scale,
    describe: (row, bin) => `${heat.run}: ${cellText(heat, row, bin)}`,
    chosen: [],
    label: `Heat map of ${heat.run}, ${binText(heat)}`,
  });
}

function* together(heats) {
  for (const heat of heats) {
    for (const [i, row] of [...heatRows(heat)].entries()) {
      if (i || heat === heats[0]) yield [i ? heat.run : "run", ...row];
    }
  }
}
