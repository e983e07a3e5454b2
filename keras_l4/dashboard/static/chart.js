// Charts drawn by plotly, which is served from the installed Python package.
const plotlyUrl = () => new URL("../plotly.min.js", import.meta.url).href;
let plotly = null;

/** Downloads plotly without running it. */
export function preloadPlotly() {
  document.head.append(Object.assign(document.createElement("link"), { rel: "preload", as: "script", href: plotlyUrl() }));
}

/** Resolves to plotly; the first call loads the script. */
function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = plotlyUrl();
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("Plotly is not installed where TensorBoard runs: pip install plotly"));
    document.head.append(script);
  });
  return plotly;
}

/** Draws a chart into `node`, or updates it. */
export async function drawChart(node, traces, layout) {
  const Plotly = await loadPlotly();
  // Plotly's mode bar would cover cells. The panel frame has a download button instead.
  const config = { responsive: true, displayModeBar: false };
  await Plotly.react(node, traces, withTheme(layout), config);
  node.classList.add("chart");
}

/** Downloads the charts below `parent` as PNG files. */
export async function downloadPng(parent, filename) {
  const Plotly = await loadPlotly();
  for (const node of parent.querySelectorAll(".chart")) {
    const { width, height } = node.getBoundingClientRect();
    await Plotly.downloadImage(node, { format: "png", width, height, scale: 2, filename });
  }
}

/** Escapes text for plotly, which interprets some markup; keeps the last `maxLength` characters. */
export function escapeMarkup(text, maxLength = Infinity) {
  const shortened = text.length > maxLength ? `…${text.slice(1 - maxLength)}` : text;
  return shortened.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Axis ticks at evenly spaced names, at most `maxTicks` of them. */
export function nameTicks(names, maxTicks, maxLength = 30) {
  const stride = Math.max(1, Math.ceil(names.length / maxTicks));
  const tickvals = names.map((_, i) => i).filter((i) => i % stride === 0);
  return { tickvals, ticktext: tickvals.map((i) => escapeMarkup(names[i], maxLength)) };
}

/**
 * The step axis. `uirevision` makes plotly discard the user's zoom when the range of the view
 * changes, so that the range given here applies.
 */
export function stepAxis(first, last) {
  return { title: { text: "step" }, range: [first, last], uirevision: `${first} ${last}` };
}

/** Sets the steps of the view when the user zooms the step axis of a chart. */
export function followZoom(node, view) {
  if (node.dataset.followsZoom) return;
  node.dataset.followsZoom = "yes";
  node.on("plotly_relayout", (change) => {
    if (change["xaxis.autorange"]) view.set({ first: null, last: null });
    if ("xaxis.range[0]" in change) {
      const first = Math.max(0, Math.ceil(change["xaxis.range[0]"]));
      const last = Math.max(first, Math.floor(change["xaxis.range[1]"]));
      view.set({ first, last });
    }
  });
}

/** The value of a color variable of style.css. */
export function themeColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function withTheme(layout) {
  const line = themeColor("line");
  const axisColors = { gridcolor: line, zerolinecolor: line, linecolor: line };
  const axes = Object.entries(layout).filter(([name]) => /^[xy]axis/.test(name));
  return {
    margin: { l: 60, r: 10, t: 8, b: 42 },
    font: { color: themeColor("text"), family: "Roboto, system-ui, sans-serif", size: 12 },
    paper_bgcolor: themeColor("card"),
    plot_bgcolor: themeColor("card"),
    hoverlabel: { namelength: -1 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    ...layout,
    ...Object.fromEntries(axes.map(([name, axis]) => [name, { ...axisColors, ...axis }])),
  };
}
