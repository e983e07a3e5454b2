// The toolbar: run, steps, reload.
import { el, fill, picker } from "./page.js";

export class Toolbar {
  constructor(view, onReload) {
    this.view = view;
    this.runs = picker("Run", (run) => view.set({ run, layer: null, finding: null, first: null, last: null }));
    this.runs.select.id = "run";
    const [first, last] = ["first", "last"].map((key) => this.#step(key));
    this.steps = { first, last };
    const all = el("button", { type: "button", id: "all-steps" }, "All steps");
    all.addEventListener("click", () => view.set({ first: null, last: null }));
    const again = el("button", { type: "button", id: "reload" }, "Reload");
    again.addEventListener("click", onReload);
    this.auto = el("input", { type: "checkbox", checked: true });
    this.status = el("span", { className: "notice", role: "status" });
    this.node = el(
      "nav",
      { "aria-label": "View" },
      this.runs.node,
      el("span", { className: "steps" }, el("label", {}, "Steps ", first), el("label", {}, " to ", last), all),
      again,
      el("label", {}, this.auto, " by itself, while training writes"),
      this.status,
    );
    view.onChange(() => this.#showSteps());
    this.#showSteps();
  }

  get isAutomatic() {
    return this.auto.checked;
  }

  say(text) {
    this.status.textContent = text;
  }

  /** Shows these runs; where none is chosen, the one that was written last is. */
  show(runs) {
    const names = runs.map((run) => run.name);
    if (names.length && !names.includes(this.view.run)) {
      const newest = runs.reduce((a, b) => (b.last_written > a.last_written ? b : a));
      this.view.set({ run: newest.name });
    }
    this.view.runs = runs;
    fill(this.runs.select, names, this.view.run);
  }

  #step(key) {
    const input = el("input", { type: "number", min: "0", placeholder: key, id: `${key}-step` });
    input.addEventListener("change", () => {
      const step = input.value === "" || !input.validity.valid ? null : Number(input.value);
      this.view.set({ [key]: step });
    });
    return input;
  }

  #showSteps() {
    for (const [key, input] of Object.entries(this.steps)) input.value = this.view[key] ?? "";
  }
}
