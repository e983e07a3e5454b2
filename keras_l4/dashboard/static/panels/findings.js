// Findings: what the rules say. A click moves the other panels there.
import { ask } from "../api.js";
import { el, stepsText } from "../page.js";

export const order = 10;
export const title = "Findings";
export const about = "What the rules find in this run, the worst first. Choose one to see where it is.";
export const watches = ["run", "finding"];

const SIGNS = { error: "✖", warning: "▲", info: "●" };

export async function draw(frame, view) {
  const answer = await ask("findings", { run: view.run });
  const { findings } = answer;
  frame.note(summary(answer));
  const focused = frame.body.contains(document.activeElement) && document.activeElement.dataset.key;
  const items = findings.map((finding) => item(finding, answer, view));
  frame.body.replaceChildren(el("ol", { className: "findings" }, ...items));
  if (focused) [...frame.body.querySelectorAll("button")].find((b) => b.dataset.key === focused)?.focus();
  frame.rows = () => rows(findings);
}

function summary(answer) {
  const { findings, first_step, last_step, num_layers, optimizer, num_superseded, failed_rules } = answer;
  return [
    `${findings.length || "No"} ${findings.length === 1 ? "finding" : "findings"}.`,
    `${stepsText(first_step, last_step)}, ${num_layers} layers, ${optimizer}.`,
    num_superseded ? `${num_superseded} steps were done again after a resumption.` : "",
    ...failed_rules,
  ].join(" ");
}

function item(finding, answer, view) {
  const key = keyOf(finding);
  const isOpen = view.finding === key;
  const button = el(
    "button",
    { type: "button", "aria-expanded": String(isOpen), "data-key": key },
    el("span", { className: `severity ${finding.severity}` }, `${SIGNS[finding.severity]} ${finding.severity}`),
    el("code", {}, finding.code),
    el("strong", {}, finding.title),
    el("small", {}, `${stepsText(finding.first_step, finding.last_step)}, ${where(finding.layers)}`),
  );
  button.addEventListener("click", () => view.set(isOpen ? { finding: null } : moved(finding, key, answer)));
  const node = el("li", { className: finding.severity }, button);
  if (isOpen) node.append(details(finding));
  return node;
}

function keyOf(finding) {
  return `${finding.code} ${finding.first_step}`;
}

function where(layers) {
  if (!layers.length) return "whole model";
  return layers.length > 2 ? `${layers[0]} … ${layers.at(-1)} (${layers.length} layers)` : layers.join(", ");
}

/** The view that shows a finding, with some steps around it. */
function moved(finding, key, run) {
  const around = Math.max(10, Math.round((finding.last_step - finding.first_step) / 10));
  const first = finding.first_step - around;
  const last = finding.last_step + around;
  return {
    finding: key,
    layer: finding.layers[0] ?? null,
    step: finding.first_step,
    first: first > run.first_step ? first : null,
    last: last < run.last_step ? last : null,
  };
}

function details(finding) {
  const evidence = Object.entries(finding.evidence).flatMap(([name, value]) => [
    el("dt", {}, name.replaceAll("_", " ")),
    el("dd", {}, typeof value === "number" ? String(Number(value.toPrecision(6))) : value),
  ]);
  return el(
    "div",
    { className: "details" },
    el("p", {}, finding.explanation),
    el("p", {}, `→ ${finding.advice}`),
    el("dl", {}, ...evidence),
  );
}

function* rows(findings) {
  yield ["severity", "code", "title", "layers", "first step", "last step", "explanation", "advice"];
  for (const f of findings) {
    yield [f.severity, f.code, f.title, f.layers.join(" "), f.first_step, f.last_step, f.explanation, f.advice];
  }
}
