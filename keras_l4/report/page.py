"""Page: a report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from keras_l4.report.charts import heat_map, lines
from keras_l4.report.judged import EvaluatedRun
from keras_l4.rules import Finding
from keras_l4.wording import steps_of, where_of

_MOST_EVENTS = 50
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
# No script, no network: what is not here is not loaded.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(judged: EvaluatedRun) -> str:
    """The whole page; what comes from the run is escaped."""
    title = escape(f"keras_l4: {judged.log_dir.name}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1><p>{escape(str(judged))}</p>"
        + "".join(_sections(judged))
        + "</body></html>\n"
    )


def _sections(judged: EvaluatedRun) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    yield from map(_finding, judged.findings)
    if not judged.findings:
        yield "<p>None.</p>"
    quantities = judged.run.quantities
    if "gradient_norm" in quantities:
        series = judged.run.series("gradient_norm")
        yield "<h2>Gradient norm, layer × step</h2>"
        yield heat_map(series.steps, series.names, series.values)
    if "effective_learning_rate" in quantities:
        series = judged.run.series("effective_learning_rate")
        yield "<h2>Effective learning rate</h2>"
        yield lines(series.steps, series.names, series.values)
    loss = judged.run.loss
    seen = ~np.isnan(loss)
    if seen.any():
        yield "<h2>Loss (mean over the epoch so far)</h2>"
        yield lines(judged.run.steps[seen], ["loss"], loss[seen, None])
    yield from _events(judged)


def _finding(finding: Finding) -> str:
    evidence = _table([(name, str(value)) for name, value in finding.as_dict()["evidence"].items()])
    where = f"{finding.severity}, {steps_of(finding)}, {where_of(finding)}"
    return (
        f'<div class="finding {escape(finding.severity)}"><p><b>{escape(finding.title)}</b> '
        f"<code>{escape(finding.code)}</code><br><small>{escape(where)}</small></p>"
        f"<p>{escape(finding.explanation)}</p><p>→ {escape(finding.advice)}</p>"
        f"<details><summary>Evidence</summary>{evidence}</details></div>"
    )


def _events(judged: EvaluatedRun) -> Iterator[str]:
    events = judged.run.events
    if not events:
        return
    yield f"<h2>Non-finite gradients: {len(events)}</h2>"
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
        for e in events[:_MOST_EVENTS]
    ]
    yield _table(rows, ("step", "epoch", "batch", "variable", "kind", "NaN", "Inf"))
    if len(events) > _MOST_EVENTS:
        yield f"<p>… and {len(events) - _MOST_EVENTS} more.</p>"


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    return f"<table>{row(head, 'th') if head else ''}{''.join(row(r, 'td') for r in rows)}</table>"
