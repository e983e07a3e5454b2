// A grid of cells, one row per name and one column per bin of steps. It can be read by pointer, by
// keyboard and by screen reader.
import { drawChart, followZoom, nameTicks, stepAxis, themeColor } from "./chart.js";
import { el } from "./elements.js";

const MAX_DOTS = 2000;
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Width in pixels beside the cells of a heat map: names, color bar and margins (an estimate). */
export const WIDTH_BESIDE_CELLS = 220;

/** Marks of values outside the color scale; 0 is no mark. */
export const [NAN, INF, OVERFLOW, ZERO] = [1, 2, 3, 4];

/** Text for the legend, and color. Mark `i` is `MARKS[i - 1]`. */
export const MARKS = [
  ["NaN", "nan"],
  ["Inf", "inf"],
  ["norm overflow", "overflow"],
  ["0", "zero"],
];

export class CellGrid {
  /** `onSelect(row, bin)` is called for the selected cell. */
  constructor(view, onSelect) {
    this.view = view;
    this.onSelect = onSelect;
    this.cursor = [0, 0];
    this.chart = el("div", { tabIndex: 0, role: "img" });
    this.announcement = el("p", { className: "announcement", role: "status" });
    this.tooltip = el("p", { className: "tooltip", hidden: true, "aria-hidden": "true" });
    this.legend = el("p", { className: "legend" });
    this.node = el("div", { className: "grid" }, this.chart, this.legend, this.announcement, this.tooltip);
    this.chart.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /**
   * Draws the cells.
   *
   * names: of the rows. bins: of the columns. z: rows of numbers, or null. marks: rows of numbers
   * of MARKS with 0 for no mark, or null. scale: {low, high, title} of z. cellText(row, bin): text
   * of a cell. highlightedRows: rows with an outline. label: the name of the chart.
   */
  async draw({ names, bins, z, marks, scale, cellText, highlightedRows, label }) {
    Object.assign(this, { names, bins, cellText });
    const height = Math.min(Math.max(300, window.innerHeight - 260), Math.max(120, names.length * 16)) + 50;
    const position = { x0: bins.first_step + (bins.size - 1) / 2, dx: bins.size, y0: 0, dy: 1 };
    const traces = [];
    if (z) traces.push({ ...position, ...valueTrace(z, scale) });
    if (marks) traces.push({ ...position, ...markTrace(marks) }, dotTrace(marks, position));
    const longestName = Math.max(0, ...names.map((name) => Math.min(30, name.length)));
    await drawChart(this.chart, traces, {
      height,
      margin: { l: 20 + 6.6 * longestName, r: 10, t: 8, b: 42 },
      showlegend: false,
      dragmode: "zoom",
      xaxis: binAxis(bins),
      yaxis: {
        ...nameTicks(names, height / 15),
        range: [names.length - 0.5, -0.5],
        showgrid: false,
        zeroline: false,
        uirevision: JSON.stringify(names),
      },
      shapes: highlightedRows.map(outline),
    });
    this.chart.setAttribute(
      "aria-label",
      `${label} Move between cells with the arrow keys; press Enter to select one.`,
    );
    this.#updateLegend(marks);
    this.#listen();
  }

  #listen() {
    followZoom(this.chart, this.view);
    if (this.isListening) return;
    this.isListening = true;
    const cellOf = ({ points }) => points[0].pointNumber;
    this.chart.on("plotly_hover", (event) => {
      this.#announce(...cellOf(event));
      this.#showTooltip(event.event);
    });
    this.chart.on("plotly_unhover", () => (this.tooltip.hidden = true));
    this.chart.on("plotly_click", (event) => this.#select(...cellOf(event)));
  }

  #updateLegend(marks) {
    const present = new Set(marks?.flatMap((row) => [...new Set(row)]));
    const entries = MARKS.filter((_, i) => present.has(i + 1));
    this.legend.replaceChildren(
      ...entries.map(([text, color]) => el("span", {}, el("i", { className: `swatch ${color}` }), ` ${text} `)),
    );
  }

  #announce(row, bin) {
    this.cursor = [row, bin];
    this.announcement.textContent = this.cellText(row, bin);
  }

  #showTooltip({ clientX, clientY }) {
    const { style } = this.tooltip;
    this.tooltip.textContent = this.announcement.textContent;
    this.tooltip.hidden = false;
    style.top = `${clientY + 16}px`;
    style.left = `${Math.min(clientX + 12, window.innerWidth - this.tooltip.offsetWidth - 8)}px`;
  }

  #select(row, bin) {
    this.#announce(row, bin);
    this.onSelect(row, bin);
  }

  #onKey(event) {
    const [row, bin] = this.cursor;
    if (event.key === "Enter") this.#select(row, bin);
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    const [down, right] = MOVES[event.key];
    const clamp = (value, count) => Math.min(Math.max(value, 0), count - 1);
    this.#announce(clamp(row + down, this.names.length), clamp(bin + right, this.bins.count));
  }
}

/** First and last step of a bin. */
export function stepsOfBin(bins, bin) {
  const first = bins.first_step + bin * bins.size;
  return [first, Math.min(first + bins.size - 1, bins.last_step)];
}

/** The step axis of a chart with one column per bin. */
export function binAxis(bins) {
  const first = bins.first_step - 0.5;
  return stepAxis(first, first + bins.size * bins.count);
}

function valueTrace(z, { low, high, title }) {
  return {
    type: "heatmap",
    z,
    zmin: low,
    zmax: high,
    colorscale: "Cividis",
    hoverinfo: "none",
    colorbar: { title: { text: title }, thickness: 12, outlinewidth: 0 },
  };
}

// A second heat map over the values: one color per mark, and transparent where there is none.
function markTrace(marks) {
  const colorscale = MARKS.flatMap(([, color], i) =>
    [i, i + 1].map((end) => [end / MARKS.length, themeColor(color)]),
  );
  return {
    type: "heatmap",
    z: marks.map((row) => Float32Array.from(row, (mark) => mark || NaN)),
    zmin: 0.5,
    zmax: MARKS.length + 0.5,
    colorscale,
    showscale: false,
    hoverinfo: "none",
  };
}

// Dots of a fixed size on NaN, Inf and overflow: a cell may be narrower than a pixel.
function dotTrace(marks, { x0, dx }) {
  const colors = MARKS.map(([, color]) => (color === "zero" ? null : themeColor(color)));
  const [x, y, color] = [[], [], []];
  for (const [row, cells] of marks.entries()) {
    for (let bin = 0; bin < cells.length && x.length < MAX_DOTS; bin += 1) {
      const fill = colors[cells[bin] - 1];
      if (!fill) continue;
      x.push(x0 + bin * dx);
      y.push(row);
      color.push(fill);
    }
  }
  return { x, y, mode: "markers", marker: { color, size: 5, symbol: "square" }, hoverinfo: "skip" };
}

function outline(row) {
  const line = { color: themeColor("accent"), width: 1.5 };
  return { type: "rect", xref: "paper", x0: 0, x1: 1, y0: row - 0.5, y1: row + 0.5, line };
}
