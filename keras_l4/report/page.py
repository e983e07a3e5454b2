"""Page: the report of a run as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from keras_l4.formatting import format_layers, format_steps
from keras_l4.report.charts import heat_map, line_chart
from keras_l4.report.evaluated_run import EvaluatedRun
from keras_l4.rules import Finding

_MAX_EVENTS = 50
_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
svg { width: 100%; } svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
table { border-collapse: collapse; font-size: 0.9rem; }
td, th { border-bottom: 1px solid var(--line); padding: 0.15rem 0.8rem 0.15rem 0; text-align: left; }
.finding { border-left: 5px solid #17a; padding-left: 1rem; margin: 1.2rem 0; }
.warning { border-color: #d90; } .error { border-color: #d33; }
.finding p { margin: 0.3rem 0; } summary { cursor: pointer; } small { opacity: 0.75; }
"""
# The page runs no script and loads nothing from the network, even if escaping failed.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_page(evaluated: EvaluatedRun) -> str:
    """Returns the HTML page. All text that comes from the run is escaped."""
    title = escape(f"keras_l4: {evaluated.log_dir.name}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1><p>{escape(str(evaluated))}</p>"
        + "".join(_sections(evaluated))
        + "</body></html>\n"
    )


def _sections(evaluated: EvaluatedRun) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    yield from map(_finding_html, evaluated.findings)
    if not evaluated.findings:
        yield "<p>No findings.</p>"
    quantities = evaluated.run.quantities
    if "gradient_norm" in quantities:
        series = evaluated.run.series("gradient_norm")
        yield "<h2>Gradient norm, layer × step</h2>"
        yield heat_map(series.steps, series.names, series.values)
    if "effective_learning_rate" in quantities:
        series = evaluated.run.series("effective_learning_rate")
        yield "<h2>Effective learning rate</h2>"
        yield line_chart(series.steps, series.names, series.values)
    loss = evaluated.run.loss
    is_known = ~np.isnan(loss)
    if is_known.any():
        yield "<h2>Loss (mean over the epoch so far)</h2>"
        yield line_chart(evaluated.run.steps[is_known], ["loss"], loss[is_known, None])
    yield from _events(evaluated)


def _finding_html(finding: Finding) -> str:
    evidence = _table([(name, str(value)) for name, value in finding.as_dict()["evidence"].items()])
    place = f"{finding.severity}, {format_steps(finding)}, {format_layers(finding)}"
    return (
        f'<div class="finding {escape(finding.severity)}"><p><b>{escape(finding.title)}</b> '
        f"<code>{escape(finding.code)}</code><br><small>{escape(place)}</small></p>"
        f"<p>{escape(finding.explanation)}</p><p>→ {escape(finding.advice)}</p>"
        f"<details><summary>Evidence</summary>{evidence}</details></div>"
    )


def _events(evaluated: EvaluatedRun) -> Iterator[str]:
    events = evaluated.run.events
    if not events:
        return
    yield f"<h2>Non-finite gradients ({len(events)})</h2>"
    rows = [
        (
            str(e.step),
            str(e.epoch),
            str(e.batch),
            e.variable,
            e.kind,
            str(e.num_nan),
            str(e.num_inf),
        )
        for e in events[:_MAX_EVENTS]
    ]
    yield _table(rows, ("step", "epoch", "batch", "variable", "kind", "NaN", "Inf"))
    if len(events) > _MAX_EVENTS:
        yield f"<p>… and {len(events) - _MAX_EVENTS} more.</p>"


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    header = _row(head, "th") if head else ""
    return f"<table>{header}{''.join(_row(row, 'td') for row in rows)}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inner}</tr>"
