// The frame of a panel: title, controls and downloads. It decides when the panel is drawn.
import { downloadPng } from "./chart.js";
import { downloadCsv } from "./csv.js";
import { el } from "./elements.js";

/**
 * A panel is a module in panels/ with these exports:
 *
 * order, title, description: its position on the page and its texts.
 * dependsOn: keys of the view; the panel is redrawn when one of them changes.
 * requiredQuantities (optional): without them the frame shows a notice instead.
 * setup(frame, view) (optional): creates controls and nodes, once.
 * draw(frame, view): fetches the data and draws them into `frame.body`.
 */
export class PanelFrame {
  constructor(panel, view) {
    this.panel = panel;
    this.view = view;
    this.isDirty = true;
    this.isVisible = false;
    this.controls = el("div", { className: "controls" });
    this.body = el("div", { className: "body" });
    this.notice = el("p", { className: "notice", role: "status" });
    /** Set by the panel: returns the rows of the CSV file. */
    this.csvRows = null;
    const title = el("h2", { id: `${panel.name}-title` }, panel.title);
    this.node = el(
      "section",
      { id: panel.name, className: "panel", "aria-labelledby": title.id },
      el("header", {}, title, this.controls, this.#createDownloads()),
      el("p", { className: "description" }, panel.description),
      this.notice,
      this.body,
    );
    this.node.dataset.state = "waiting";
    panel.setup?.(this, view);
    this.firstDrawing = new Promise((resolve) => (this.resolveFirstDrawing = resolve));
  }

  /** Starts drawing whenever the panel is in view. Resolves after the first drawing. */
  start() {
    new IntersectionObserver(
      (entries) => {
        this.isVisible = entries.at(-1).isIntersecting;
        this.#drawIfNeeded();
      },
      { rootMargin: "150px" },
    ).observe(this.node);
    return this.firstDrawing;
  }

  /** Whether a change of these keys of the view changes the panel. */
  dependsOn(keys) {
    return this.panel.dependsOn.some((key) => keys.has(key));
  }

  /** Draws again, once the panel is in view. */
  refresh() {
    this.isDirty = true;
    this.#drawIfNeeded();
  }

  /** Shows one line of text above the charts. */
  showNotice(text) {
    this.notice.textContent = text;
  }

  // Only one drawing runs at a time. A change during a drawing starts another one after it.
  async #drawIfNeeded() {
    if (!this.isDirty || !this.isVisible || this.isDrawing || !this.view.run) return;
    this.isDrawing = true;
    this.isDirty = false;
    this.node.dataset.state = "drawing";
    try {
      const reason = this.#reasonNotToDraw();
      this.body.hidden = reason !== "";
      if (reason) this.showNotice(reason);
      else await this.panel.draw(this, this.view);
      this.node.dataset.state = "drawn";
      performance.mark(`keras_l4:${this.panel.name}`);
    } catch (error) {
      this.showNotice(error.message);
      this.node.dataset.state = "failed";
    } finally {
      this.isDrawing = false;
      this.resolveFirstDrawing();
    }
    this.#drawIfNeeded();
  }

  #reasonNotToDraw() {
    const run = this.view.runs.find((run) => run.name === this.view.run);
    if (!run || run.problem) return run?.problem ?? "This run no longer exists.";
    const missing = (this.panel.requiredQuantities ?? []).filter((name) => !(name in run.quantities));
    return missing.length ? `Not recorded in this run: ${missing.join(", ")}.` : "";
  }

  #createDownloads() {
    const filename = `keras_l4-${this.panel.name}`;
    const createButton = (text, title, onClick) => {
      const button = el("button", { type: "button", title }, text);
      button.addEventListener("click", onClick);
      return button;
    };
    return el(
      "div",
      { className: "downloads" },
      createButton("CSV", "Download the data as CSV", () => this.csvRows && downloadCsv(`${filename}.csv`, this.csvRows())),
      createButton("PNG", "Download the chart as PNG", () => downloadPng(this.body, filename)),
    );
  }
}
