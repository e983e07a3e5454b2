// The state shared by all panels. It is stored in the address of the page, so links keep it.
const PREFIX = "p.keras_l4.";
const NUMBERS = new Set(["first", "last", "step"]);
const KEYS = ["run", "compare", "quantity", "first", "last", "step", "layer", "finding", "smoothing", "shape"];

export class View {
  constructor() {
    this.listeners = [];
    this.runs = [];
    for (const key of KEYS) this[key] = null;
    Object.assign(this, readAddress());
  }

  /** Registers a listener, which is called with the set of changed keys. */
  onChange(listener) {
    this.listeners.push(listener);
  }

  /** Changes some keys; null unsets a key. */
  set(changes) {
    const keys = new Set(Object.keys(changes).filter((key) => changes[key] !== this[key]));
    if (!keys.size) return;
    Object.assign(this, changes);
    writeAddress(this);
    for (const listener of this.listeners) listener(keys);
  }

  /** Names of the runs to compare with `run`. */
  get comparedRuns() {
    return this.compare ? JSON.parse(this.compare) : [];
  }

  /** Whether a run is selected or compared. */
  includesRun(name) {
    return name === this.run || this.comparedRuns.includes(name);
  }

  /** The selected steps, as parameters of a route. */
  get stepRange() {
    return { first_step: this.first, last_step: this.last };
  }
}

// TensorBoard's plugin library does not return the address on page load, but its page has the
// same origin.
function readAddress() {
  const values = {};
  for (const part of window.parent.location.hash.slice(1).split("&")) {
    const [name, value] = part.split(/=(.*)/s);
    const key = name.slice(PREFIX.length);
    if (name.startsWith(PREFIX) && KEYS.includes(key)) {
      const text = decode(value);
      if (isValid(key, text)) values[key] = NUMBERS.has(key) ? Number(text) : text;
    }
  }
  return values;
}

function decode(text) {
  try {
    return decodeURIComponent(text ?? "");
  } catch {
    return "";
  }
}

// Users may edit the address by hand.
function isValid(key, text) {
  if (NUMBERS.has(key)) return /^\d{1,15}$/.test(text);
  if (key === "smoothing") return /^0\.\d{1,2}$/.test(text);
  if (key !== "compare") return text !== "";
  try {
    const names = JSON.parse(text);
    return Array.isArray(names) && names.every((name) => typeof name === "string");
  } catch {
    return false;
  }
}

function writeAddress(view) {
  const hash = window.parent.location.hash.slice(1);
  const otherParts = hash.split("&").filter((part) => !part.startsWith(PREFIX));
  const ownParts = KEYS.filter((key) => view[key] !== null).map(
    (key) => `${PREFIX}${key}=${encodeURIComponent(view[key])}`,
  );
  window.parent.history.replaceState(null, "", `#${[...otherParts, ...ownParts].join("&")}`);
}
