// Small pieces of a page. What comes from a run is text, never markup.

/** An element with properties (and data-, aria- attributes) and children. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** A select with a label; `onPick` gets the value. */
export function picker(label, onPick) {
  const select = el("select", {});
  select.addEventListener("change", () => onPick(select.value));
  return { select, node: el("label", {}, `${label} `, select) };
}

/** Gives a select these values, if they are not what it has. */
export function fill(select, values, chosen, text = (value) => value) {
  const wanted = JSON.stringify(values);
  if (select.dataset.values !== wanted) {
    select.replaceChildren(...values.map((value) => el("option", { value }, text(value))));
    select.dataset.values = wanted;
  }
  select.value = chosen;
}

/** "step 7" or "steps 7–9". */
export function stepsText(first, last) {
  return first === last ? `step ${first}` : `steps ${first}–${last}`;
}

/** A number as it is read aloud: six digits, or its name. */
export function numberText(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : String(value);
}
