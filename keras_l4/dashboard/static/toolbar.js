// The toolbar: selects the run and the steps, and reloads.
import { createSelect, el, setOptions } from "./elements.js";

export class Toolbar {
  constructor(view, onReload) {
    this.view = view;
    this.runs = createSelect("Run", (run) => view.set({ run, layer: null, finding: null, first: null, last: null }));
    this.runs.select.id = "run";
    const [first, last] = ["first", "last"].map((key) => this.#createStepInput(key));
    this.stepInputs = { first, last };
    const allSteps = el("button", { type: "button", id: "all-steps" }, "All steps");
    allSteps.addEventListener("click", () => view.set({ first: null, last: null }));
    const reload = el("button", { type: "button", id: "reload" }, "Reload");
    reload.addEventListener("click", onReload);
    this.autoRefresh = el("input", { type: "checkbox", checked: true });
    this.status = el("span", { className: "notice", role: "status" });
    this.node = el(
      "nav",
      { "aria-label": "View" },
      this.runs.node,
      el("span", { className: "steps" }, el("label", {}, "Steps ", first), el("label", {}, " to ", last), allSteps),
      reload,
      el("label", {}, this.autoRefresh, " Auto-refresh"),
      this.status,
    );
    view.onChange(() => this.#updateStepInputs());
    this.#updateStepInputs();
  }

  get isAutoRefreshOn() {
    return this.autoRefresh.checked;
  }

  showStatus(text) {
    this.status.textContent = text;
  }

  /** Lists the runs. Selects the most recently written one if the selected run does not exist. */
  setRuns(runs) {
    const names = runs.map((run) => run.name);
    if (names.length && !names.includes(this.view.run)) {
      const newest = runs.reduce((a, b) => (b.last_written > a.last_written ? b : a));
      this.view.set({ run: newest.name });
    }
    this.view.runs = runs;
    setOptions(this.runs.select, names, this.view.run);
  }

  #createStepInput(key) {
    const input = el("input", { type: "number", min: "0", placeholder: key, id: `${key}-step` });
    input.addEventListener("change", () => {
      const step = input.value === "" || !input.validity.valid ? null : Number(input.value);
      this.view.set({ [key]: step });
    });
    return input;
  }

  #updateStepInputs() {
    for (const [key, input] of Object.entries(this.stepInputs)) input.value = this.view[key] ?? "";
  }
}
