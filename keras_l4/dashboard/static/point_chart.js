// A chart of points over steps, which can be read by pointer, by keyboard and by screen reader.
import { el } from "./elements.js";

const MOVES = { ArrowLeft: -1, ArrowRight: 1 };

export class PointChart {
  /** `onSelect(point)` is called with the index of the selected point. */
  constructor(onSelect) {
    this.onSelect = onSelect;
    this.cursor = 0;
    this.chart = el("div", { tabIndex: 0, role: "img" });
    this.announcement = el("p", { className: "announcement", role: "status" });
    this.node = el("div", {}, this.chart, this.announcement);
    this.chart.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Call after drawing. `texts`: the text of each point. `label`: the name of the chart. */
  describe(texts, label) {
    this.texts = texts;
    this.chart.setAttribute(
      "aria-label",
      `${label} Move between points with the arrow keys; press Enter to select one.`,
    );
    if (this.isListening) return;
    this.isListening = true;
    this.chart.on("plotly_hover", (event) => this.#announce(event.points[0].pointNumber));
    this.chart.on("plotly_click", (event) => this.#select(event.points[0].pointNumber));
  }

  // On the loss surface, `pointNumber` may also be a cell [row, column], which has no text.
  #announce(point) {
    if (!(point in this.texts)) return;
    this.cursor = point;
    this.announcement.textContent = this.texts[point];
  }

  #select(point) {
    if (!(point in this.texts)) return;
    this.#announce(point);
    this.onSelect(point);
  }

  #onKey(event) {
    if (event.key === "Enter") this.#select(this.cursor);
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    this.#announce(Math.min(Math.max(this.cursor + MOVES[event.key], 0), this.texts.length - 1));
  }
}
