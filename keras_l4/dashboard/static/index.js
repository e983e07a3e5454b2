// The page: a toolbar, and a frame for each panel, which is drawn again when what it watches changes.
import { ask } from "./api.js";
import { preload } from "./chart.js";
import { el } from "./page.js";
import { Frame } from "./frame.js";
import { Toolbar } from "./toolbar.js";
import { View } from "./view.js";
import * as host from "./host.js";

const POLL_MS = 5000;

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

/** The modules of the panels, from top to bottom. */
async function allPanels() {
  const { modules } = await ask("panels");
  const panels = await Promise.all(
    modules.map(async (file) => ({ name: file.replace(/\.js$/, ""), ...(await import(`./panels/${file}`)) })),
  );
  return panels.sort((a, b) => a.order - b.order);
}

async function start() {
  const view = new View();
  const toolbar = new Toolbar(view, () => reload(true));
  const nothing = el("p", { id: "nothing", hidden: true });
  const main = el("main", {});
  document.body.replaceChildren(toolbar.node, nothing, main);
  const [panels, { runs }] = await Promise.all([allPanels(), ask("runs")]);
  toolbar.show(runs);
  const frames = panels.map((panel) => new Frame(panel, view));
  main.append(...frames.map((frame) => frame.node));
  let shown = "";

  async function reload(anyway) {
    try {
      const { runs } = await ask("runs");
      toolbar.show(runs);
      tell(runs);
      const versions = JSON.stringify(runs.filter((run) => view.shows(run.name)));
      if (anyway || versions !== shown) frames.forEach((frame) => frame.refresh());
      shown = versions;
      toolbar.say("");
    } catch (error) {
      toolbar.say(error.message);
    }
  }

  function tell(runs) {
    nothing.hidden = runs.length > 0;
    main.hidden = !runs.length;
    nothing.textContent =
      "No record of keras_l4 in this log directory yet. Train with " +
      "keras_l4.callbacks.TrainingDiagnostics(log_dir); this page looks again by itself.";
  }

  shown = JSON.stringify(runs.filter((run) => view.shows(run.name)));
  tell(runs);
  view.onChange((keys) => {
    for (const frame of frames) if (frame.watches(keys)) frame.refresh();
  });
  host.onTheme(() => frames.forEach((frame) => frame.refresh()));
  host.onReload(() => reload(true));
  // The charts' library keeps server and page busy for a second: what is to be read comes first.
  frames[0].start().then(() => {
    preload();
    frames.slice(1).forEach((frame) => frame.start());
  });
  setInterval(() => toolbar.isAutomatic && host.isShown() && reload(false), POLL_MS);
}
