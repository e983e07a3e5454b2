// Findings: the problems found by the rules. Selecting one shows it in the other panels.
import { fetchJson } from "../api.js";
import { el, formatCount, formatNumber, formatSteps } from "../elements.js";

export const order = 10;
export const title = "Findings";
export const description = "Problems found by the rules, most severe first. Select one to show its layer and steps.";
export const dependsOn = ["run", "finding"];

const SYMBOLS = { error: "✖", warning: "▲", info: "●" };

export async function draw(frame, view) {
  const response = await fetchJson("findings", { run: view.run });
  const { findings } = response;
  frame.showNotice(summary(response));
  // Replacing the focused button would lose the focus.
  const focused = frame.body.contains(document.activeElement) && document.activeElement.dataset.key;
  const items = findings.map((finding) => createItem(finding, response, view));
  frame.body.replaceChildren(el("ol", { className: "findings" }, ...items));
  if (focused) [...frame.body.querySelectorAll("button")].find((b) => b.dataset.key === focused)?.focus();
  frame.csvRows = () => csvRows(findings);
}

function summary({ findings, first_step, last_step, num_layers, optimizer, num_superseded, failed_rules }) {
  return [
    findings.length ? formatCount(findings.length, "finding") : "No problems found",
    `in ${formatSteps(first_step, last_step)} (${formatCount(num_layers, "layer")}, ${optimizer}).`,
    num_superseded ? `${formatCount(num_superseded, "step")} repeated after resuming; only the last repetition counts.` : "",
    ...failed_rules,
  ].join(" ");
}

function createItem(finding, run, view) {
  const key = keyOf(finding);
  const isOpen = view.finding === key;
  const button = el(
    "button",
    { type: "button", "aria-expanded": String(isOpen), "data-key": key },
    el("span", { className: `severity ${finding.severity}` }, `${SYMBOLS[finding.severity]} ${finding.severity}`),
    el("code", {}, finding.code),
    el("strong", {}, finding.title),
    el("small", {}, `${formatSteps(finding.first_step, finding.last_step)}, ${layersText(finding.layers)}`),
  );
  button.addEventListener("click", () => view.set(isOpen ? { finding: null } : viewOf(finding, run)));
  const item = el("li", { className: finding.severity }, button);
  if (isOpen) item.append(createDetails(finding));
  return item;
}

function keyOf(finding) {
  return `${finding.code} ${finding.first_step}`;
}

function layersText(layers) {
  if (!layers.length) return "whole model";
  return layers.length > 2 ? `${layers[0]} … ${layers.at(-1)} (${layers.length} layers)` : layers.join(", ");
}

/** The view that shows a finding, with some steps before and after it. */
function viewOf(finding, run) {
  const margin = Math.max(10, Math.round((finding.last_step - finding.first_step) / 10));
  const first = finding.first_step - margin;
  const last = finding.last_step + margin;
  return {
    finding: keyOf(finding),
    layer: finding.layers[0] ?? null,
    step: finding.first_step,
    first: first > run.first_step ? first : null,
    last: last < run.last_step ? last : null,
  };
}

function createDetails(finding) {
  const evidence = Object.entries(finding.evidence).flatMap(([name, value]) => [
    el("dt", {}, name.replaceAll("_", " ")),
    el("dd", {}, typeof value === "number" ? formatNumber(value) : value),
  ]);
  return el(
    "div",
    { className: "details" },
    el("p", {}, finding.explanation),
    el("p", {}, `→ ${finding.advice}`),
    el("dl", {}, ...evidence),
  );
}

function* csvRows(findings) {
  yield ["severity", "code", "title", "layers", "first step", "last step", "explanation", "advice"];
  for (const f of findings) {
    yield [f.severity, f.code, f.title, f.layers.join(" "), f.first_step, f.last_step, f.explanation, f.advice];
  }
}
