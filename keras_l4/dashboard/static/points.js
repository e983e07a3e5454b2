// Points of a chart in the order of steps: with pointer, with keys, and read aloud.
import { el } from "./page.js";

const MOVES = { ArrowLeft: -1, ArrowRight: 1 };

export class Points {
  constructor(onPick) {
    this.onPick = onPick;
    this.cursor = 0;
    this.chart = el("div", { tabIndex: 0, role: "img" });
    this.told = el("p", { className: "told", role: "status" });
    this.node = el("div", {}, this.chart, this.told);
    this.chart.addEventListener("keydown", (event) => this.#key(event));
  }

  /** What is told of each point, and what the chart is, once it is drawn. */
  show(texts, label) {
    this.texts = texts;
    this.chart.setAttribute("aria-label", `${label} Arrow keys move over the points, Enter chooses one.`);
    if (this.isListening) return;
    this.isListening = true;
    this.chart.on("plotly_hover", (event) => this.#tell(event.points[0].pointNumber));
    this.chart.on("plotly_click", (event) => this.#pick(event.points[0].pointNumber));
  }

  // A cell of a surface has two numbers, and is no point.
  #tell(point) {
    if (!(point in this.texts)) return;
    this.cursor = point;
    this.told.textContent = this.texts[point];
  }

  #pick(point) {
    if (!(point in this.texts)) return;
    this.#tell(point);
    this.onPick(point);
  }

  #key(event) {
    if (event.key === "Enter") this.#pick(this.cursor);
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    this.#tell(Math.min(Math.max(this.cursor + MOVES[event.key], 0), this.texts.length - 1));
  }
}
