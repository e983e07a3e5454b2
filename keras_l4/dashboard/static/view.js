// The view: what all panels look at. The address of the page holds it, so that it can be shared.
const PREFIX = "p.keras_l4.";
const NUMBERS = new Set(["first", "last", "step"]);
const KEYS = ["run", "compare", "quantity", "first", "last", "step", "layer", "finding", "smoothing", "shape"];

export class View {
  constructor() {
    this.listeners = [];
    for (const key of KEYS) this[key] = null;
    Object.assign(this, read());
  }

  /** Calls back with the set of keys that changed. */
  onChange(listener) {
    this.listeners.push(listener);
  }

  set(changes) {
    const keys = new Set(Object.keys(changes).filter((key) => changes[key] !== this[key]));
    if (!keys.size) return;
    Object.assign(this, changes);
    write(this);
    for (const listener of this.listeners) listener(keys);
  }

  /** Names of the runs that are compared with `run`. */
  get others() {
    return this.compare ? JSON.parse(this.compare) : [];
  }

  shows(name) {
    return name === this.run || this.others.includes(name);
  }

  /** The steps, as routes want them. */
  get window() {
    return { first_step: this.first, last_step: this.last };
  }
}

// TensorBoard's page is of the same origin, but tells its plugins nothing of its address.
function read() {
  const found = {};
  for (const part of window.parent.location.hash.slice(1).split("&")) {
    const [name, value] = part.split(/=(.*)/s);
    const key = name.slice(PREFIX.length);
    if (name.startsWith(PREFIX) && KEYS.includes(key)) {
      const text = decoded(value);
      if (isSound(key, text)) found[key] = NUMBERS.has(key) ? Number(text) : text;
    }
  }
  return found;
}

function decoded(text) {
  try {
    return decodeURIComponent(text ?? "");
  } catch {
    return "";
  }
}

// Anybody can write an address.
function isSound(key, text) {
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

function write(view) {
  const hash = window.parent.location.hash.slice(1);
  const foreign = hash.split("&").filter((part) => !part.startsWith(PREFIX));
  const own = KEYS.filter((key) => view[key] !== null).map(
    (key) => `${PREFIX}${key}=${encodeURIComponent(view[key])}`,
  );
  window.parent.history.replaceState(null, "", `#${[...foreign, ...own].join("&")}`);
}
