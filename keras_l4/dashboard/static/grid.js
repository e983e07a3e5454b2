// A grid of cells, names down and steps along: with pointer, with keys, and read aloud.
import { colour, draw, nameTicks, onZoom, stepAxis } from "./chart.js";
import { el } from "./page.js";

const MOST_POINTS = 2000;
const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Cells that have a colour of their own, in the order of their numbers from 1. */
export const MARKS = [
  ["NaN", "nan"],
  ["Inf", "inf"],
  ["overflow of the norm", "overflow"],
  ["0", "zero"],
];

export class Grid {
  constructor(view, onPick) {
    this.view = view;
    this.onPick = onPick;
    this.cursor = [0, 0];
    this.chart = el("div", { tabIndex: 0, role: "img" });
    this.told = el("p", { className: "told", role: "status" });
    this.tip = el("p", { className: "tip", hidden: true, "aria-hidden": "true" });
    this.legend = el("p", { className: "legend" });
    this.node = el("div", { className: "grid" }, this.chart, this.legend, this.told, this.tip);
    this.chart.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Draws rows of cells.
   *
   * `names`: of the rows. `bins`: of the steps. `z`: rows of numbers, or null. `marks`: rows of
   * numbers of MARKS, 0 for none. `scale`: {low, high, title}. `describe(row, bin)`: a text.
   * `chosen`: rows that are marked. `label`: what the chart is, for who cannot see it.
   */
  async draw({ names, bins, z, marks, scale, describe, chosen, label }) {
    Object.assign(this, { names, bins, describe });
    const height = Math.min(Math.max(300, window.innerHeight - 260), Math.max(120, names.length * 16)) + 50;
    const first = bins.first_step - 0.5;
    const last = first + bins.size * bins.number;
    const place = { x0: bins.first_step + (bins.size - 1) / 2, dx: bins.size, y0: 0, dy: 1 };
    const traces = [];
    if (z) traces.push({ ...place, ...heat(z, scale) });
    if (marks) traces.push({ ...place, ...marked(marks) }, points(marks, place));
    const longest = Math.max(0, ...names.map((name) => Math.min(30, name.length)));
    await draw(this.chart, traces, {
      height,
      margin: { l: 20 + 6.6 * longest, r: 10, t: 8, b: 42 },
      showlegend: false,
      dragmode: "zoom",
      xaxis: stepAxis(first, last),
      yaxis: {
        ...nameTicks(names, height / 15),
        range: [names.length - 0.5, -0.5],
        showgrid: false,
        zeroline: false,
        uirevision: JSON.stringify(names),
      },
      shapes: chosen.map((row) => frameOf(row)),
    });
    this.chart.setAttribute("aria-label", `${label} Arrow keys move over the cells, Enter chooses one.`);
    this.#showLegend(marks);
    this.#listen();
  }

  #listen() {
    onZoom(this.chart, this.view);
    if (this.isListening) return;
    this.isListening = true;
    const cellOf = ({ points }) => points[0].pointNumber;
    this.chart.on("plotly_hover", (event) => {
      this.#tell(...cellOf(event));
      this.#tip(event.event);
    });
    this.chart.on("plotly_unhover", () => (this.tip.hidden = true));
    this.chart.on("plotly_click", (event) => this.#pick(...cellOf(event)));
  }

  #showLegend(marks) {
    const seen = new Set(marks?.flatMap((row) => [...new Set(row)]));
    const shown = MARKS.filter((_, i) => seen.has(i + 1));
    this.legend.replaceChildren(
      ...shown.map(([text, name]) => el("span", {}, el("i", { className: `swatch ${name}` }), ` ${text} `)),
    );
  }

  #tell(row, bin) {
    this.cursor = [row, bin];
    this.told.textContent = this.describe(row, bin);
  }

  #tip({ clientX, clientY }) {
    this.tip.textContent = this.told.textContent;
    this.tip.hidden = false;
    this.tip.style.top = `${clientY + 16}px`;
    this.tip.style.left = `${Math.min(clientX + 12, window.innerWidth - this.tip.offsetWidth - 8)}px`;
  }

  #pick(row, bin) {
    this.#tell(row, bin);
    this.onPick(row, bin);
  }

  #key(event) {
    const [row, bin] = this.cursor;
    if (event.key === "Enter") this.#pick(row, bin);
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    const [down, right] = KEYS[event.key];
    const within = (value, number) => Math.min(Math.max(value, 0), number - 1);
    this.#tell(within(row + down, this.names.length), within(bin + right, this.bins.number));
  }
}

/** First and last step of a bin. */
export function stepsOf(bins, bin) {
  const first = bins.first_step + bin * bins.size;
  return [first, Math.min(first + bins.size - 1, bins.last_step)];
}

function heat(z, { low, high, title }) {
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

function marked(marks) {
  const steps = MARKS.flatMap(([, name], i) => [i, i + 1].map((end) => [end / MARKS.length, colour(name)]));
  return {
    type: "heatmap",
    z: marks.map((row) => Float32Array.from(row, (mark) => mark || NaN)),
    zmin: 0.5,
    zmax: MARKS.length + 0.5,
    colorscale: steps,
    showscale: false,
    hoverinfo: "none",
  };
}

// A cell may be narrower than a pixel: the first ones that are not finite have a dot, too.
function points(marks, { x0, dx }) {
  const shown = MARKS.map(([, name]) => (name === "zero" ? null : colour(name)));
  const [x, y, colours] = [[], [], []];
  for (const [row, cells] of marks.entries()) {
    for (let bin = 0; bin < cells.length && x.length < MOST_POINTS; bin += 1) {
      const fill = shown[cells[bin] - 1];
      if (!fill) continue;
      x.push(x0 + bin * dx);
      y.push(row);
      colours.push(fill);
    }
  }
  return { x, y, mode: "markers", marker: { color: colours, size: 5, symbol: "square" }, hoverinfo: "skip" };
}

function frameOf(row) {
  const line = { color: colour("accent"), width: 1.5 };
  return { type: "rect", xref: "paper", x0: 0, x1: 1, y0: row - 0.5, y1: row + 0.5, line };
}
