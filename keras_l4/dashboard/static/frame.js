// The frame of a panel: its title, its controls, what can be downloaded, and when it is drawn.
import { el } from "./page.js";
import { png } from "./chart.js";
import { saveCsv } from "./csv.js";

export class Frame {
  constructor(panel, view) {
    this.panel = panel;
    this.view = view;
    this.isDirty = true;
    this.controls = el("div", { className: "controls" });
    this.body = el("div", { className: "body" });
    this.notice = el("p", { className: "notice", role: "status" });
    this.rows = null;
    const title = el("h2", { id: `${panel.name}-title` }, panel.title);
    this.node = el(
      "section",
      { id: panel.name, className: "panel", "aria-labelledby": title.id },
      el("header", {}, title, this.controls, this.#downloads()),
      el("p", { className: "about" }, panel.about),
      this.notice,
      this.body,
    );
    this.node.dataset.state = "waiting";
    panel.setup?.(this, view);
    this.isVisible = false;
    this.first = new Promise((resolve) => (this.resolve = resolve));
  }

  /** Draws from now on; a panel that cannot be seen is drawn when it can. Resolves after the first time. */
  start() {
    new IntersectionObserver(
      (entries) => {
        this.isVisible = entries.at(-1).isIntersecting;
        this.#draw();
      },
      { rootMargin: "150px" },
    ).observe(this.node);
    return this.first;
  }

  watches(keys) {
    return this.panel.watches.some((key) => keys.has(key));
  }

  refresh() {
    this.isDirty = true;
    this.#draw();
  }

  /** One line above the charts. */
  note(text) {
    this.notice.textContent = text;
  }

  // One drawing at a time: what changed meanwhile is drawn after it.
  async #draw() {
    if (!this.isDirty || !this.isVisible || this.isDrawing || !this.view.run) return;
    this.isDrawing = true;
    this.isDirty = false;
    this.node.dataset.state = "drawing";
    try {
      const lacking = this.#lacking();
      this.body.hidden = lacking !== "";
      if (lacking) this.note(lacking);
      else await this.panel.draw(this, this.view);
      this.node.dataset.state = "drawn";
      performance.mark(`keras_l4:${this.panel.name}`);
    } catch (error) {
      this.note(error.message);
      this.node.dataset.state = "failed";
    } finally {
      this.isDrawing = false;
      this.resolve();
    }
    this.#draw();
  }

  // A panel without its quantities has nothing to ask for.
  #lacking() {
    const known = this.view.runs.find((run) => run.name === this.view.run);
    if (!known || known.problem) return known?.problem ?? "This run is gone.";
    const missing = (this.panel.reads ?? []).filter((name) => !(name in known.quantities));
    return missing.length ? `Not recorded in this run: ${missing.join(", ")}.` : "";
  }

  #downloads() {
    const button = (text, title, act) => {
      const node = el("button", { type: "button", title }, text);
      node.addEventListener("click", act);
      return node;
    };
    const name = `keras_l4-${this.panel.name}`;
    return el(
      "div",
      { className: "downloads" },
      button("CSV", "Download the shown data", () => this.rows && saveCsv(`${name}.csv`, this.rows())),
      button("PNG", "Download the chart", () => png(this.body, name)),
    );
  }
}
