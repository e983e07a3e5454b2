// Helpers to build the page. Text from a run is always set as text and never as markup.

/** Creates an element with properties (or data-, aria- and role attributes) and children. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** Creates a labeled select; `onSelect` is called with the new value. */
export function createSelect(label, onSelect) {
  const select = el("select", {});
  select.addEventListener("change", () => onSelect(select.value));
  return { select, node: el("label", {}, `${label} `, select) };
}

/** Sets the options of a select. Does not touch them if they did not change: a list may be open. */
export function setOptions(select, values, selected, textOf = (value) => value) {
  const key = JSON.stringify(values);
  if (select.dataset.values !== key) {
    select.replaceChildren(...values.map((value) => el("option", { value }, textOf(value))));
    select.dataset.values = key;
  }
  select.value = selected;
}

/** "step 7" or "steps 7–9". */
export function formatSteps(first, last) {
  return first === last ? `step ${first}` : `steps ${first}–${last}`;
}

/** "1 step" or "7 steps". */
export function formatCount(count, singular) {
  return `${count} ${singular}${count === 1 ? "" : "s"}`;
}

/** A number with six significant digits, or "NaN", "Infinity". */
export function formatNumber(value, digits = 6) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : String(value);
}
