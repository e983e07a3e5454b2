// Charts by plotly, which is served from the installed Python package.
let library = null;
const address = () => new URL("../plotly.min.js", import.meta.url).href;

/** Fetches the library without running it. */
export function preload() {
  document.head.append(Object.assign(document.createElement("link"), { rel: "preload", as: "script", href: address() }));
}

/** Plotly; the script is loaded at the first call. */
export function plotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address();
    script.onload = () => resolve(window.Plotly);
    script.onerror = () =>
      reject(new Error("The charts' library was not found where TensorBoard runs: pip install plotly"));
    document.head.append(script);
  });
  return library;
}

/** Draws, or draws again, into `node`. */
export async function draw(node, traces, layout) {
  const Plotly = await plotly();
  // Its bar of buttons lies over the cells; the frame has what is needed of it.
  const config = { responsive: true, displayModeBar: false };
  await Plotly.react(node, traces, themed(layout), config);
  node.classList.add("chart");
}

/** Saves the charts in a node. */
export async function png(parent, filename) {
  const Plotly = await plotly();
  for (const node of parent.querySelectorAll(".chart")) {
    const { width, height } = node.getBoundingClientRect();
    await Plotly.downloadImage(node, { format: "png", width, height, scale: 2, filename });
  }
}

/** A name as plotly shows it literally: it knows some markup. */
export function plain(text, longest = Infinity) {
  const cut = text.length > longest ? `…${text.slice(1 - longest)}` : text;
  return cut.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Names down or along an axis, as many as there is room for. */
export function nameTicks(names, most, longest = 30) {
  const stride = Math.max(1, Math.ceil(names.length / most));
  const tickvals = names.map((_, i) => i).filter((i) => i % stride === 0);
  return { tickvals, ticktext: tickvals.map((i) => plain(names[i], longest)) };
}

/** The step axis. Its range is the view's; a zoom by hand is taken back by `onZoom`. */
export function stepAxis(first, last) {
  return { title: { text: "step" }, range: [first, last], uirevision: `${first} ${last}` };
}

/** Follows a zoom on the step axis. */
export function onZoom(node, view) {
  if (node.dataset.zooms) return;
  node.dataset.zooms = "yes";
  node.on("plotly_relayout", (change) => {
    if (change["xaxis.autorange"]) view.set({ first: null, last: null });
    if ("xaxis.range[0]" in change) {
      const first = Math.max(0, Math.ceil(change["xaxis.range[0]"]));
      const last = Math.max(first, Math.floor(change["xaxis.range[1]"]));
      view.set({ first, last });
    }
  });
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function themed(layout) {
  const grid = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line") };
  const axes = Object.entries(layout).filter(([name]) => /^[xy]axis/.test(name));
  return {
    margin: { l: 60, r: 10, t: 8, b: 42 },
    font: { color: colour("text"), family: "Roboto, system-ui, sans-serif", size: 12 },
    paper_bgcolor: colour("card"),
    plot_bgcolor: colour("card"),
    hoverlabel: { namelength: -1 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    ...layout,
    ...Object.fromEntries(axes.map(([name, axis]) => [name, { ...grid, ...axis }])),
  };
}
