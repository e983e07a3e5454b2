// Entry point of the page: a toolbar, and a frame for each panel.
import { fetchJson } from "./api.js";
import { preloadPlotly } from "./chart.js";
import { el } from "./elements.js";
import * as host from "./host.js";
import { PanelFrame } from "./panel_frame.js";
import { Toolbar } from "./toolbar.js";
import { View } from "./view.js";

const POLL_MS = 5000;
const EMPTY_TEXT =
  "No keras_l4 data in this log directory yet. Train with " +
  "keras_l4.callbacks.TrainingDiagnostics(log_dir); the data appears here automatically.";

/** Called by TensorBoard. */
export async function render() {
  document.documentElement.lang = "en";
  document.head.append(
    el("link", { rel: "stylesheet", href: new URL("./style.css", import.meta.url).href }),
  );
  try {
    await start();
  } catch (error) {
    document.body.replaceChildren(el("p", { className: "problem", role: "alert" }, error.message));
  }
}

async function start() {
  const view = new View();
  const toolbar = new Toolbar(view, () => reload(true));
  const emptyNotice = el("p", { id: "empty", hidden: true }, EMPTY_TEXT);
  const main = el("main", {});
  document.body.replaceChildren(toolbar.node, emptyNotice, main);
  const [panels, { runs }] = await Promise.all([loadPanels(), fetchJson("runs")]);
  let drawnVersion = setRuns(runs);
  const frames = panels.map((panel) => new PanelFrame(panel, view));
  main.append(...frames.map((frame) => frame.node));

  /** Redraws if the shown runs have new data, or in any case if `isForced`. */
  async function reload(isForced) {
    try {
      const { runs } = await fetchJson("runs");
      const version = setRuns(runs);
      if (isForced || version !== drawnVersion) frames.forEach((frame) => frame.refresh());
      drawnVersion = version;
      toolbar.showStatus("");
    } catch (error) {
      toolbar.showStatus(error.message);
    }
  }

  /** Lists the runs. Returns the version of the shown runs. */
  function setRuns(runs) {
    toolbar.setRuns(runs);
    emptyNotice.hidden = runs.length > 0;
    main.hidden = !runs.length;
    return JSON.stringify(runs.filter((run) => view.includesRun(run.name)));
  }

  view.onChange((keys) => {
    for (const frame of frames) if (frame.dependsOn(keys)) frame.refresh();
  });
  host.onThemeChange(() => frames.forEach((frame) => frame.refresh()));
  host.onReload(() => reload(true));
  // Plotly keeps server and page busy for a second, so the findings, which are text, come first.
  const findings = frames.find((frame) => frame.panel.name === "findings");
  findings.start().then(() => {
    preloadPlotly();
    for (const frame of frames) if (frame !== findings) frame.start();
  });
  setInterval(() => toolbar.isAutoRefreshOn && host.isVisible() && reload(false), POLL_MS);
}

/** Imports the modules of the panels; returns them from top to bottom. */
async function loadPanels() {
  const { modules } = await fetchJson("panels");
  const panels = await Promise.all(
    modules.map(async (file) => ({ name: file.replace(/\.js$/, ""), ...(await import(`./panels/${file}`)) })),
  );
  return panels.sort((a, b) => a.order - b.order);
}
