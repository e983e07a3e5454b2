"""How findings are told: a table for the terminal, Markdown for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_l4.rules import Finding

_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def print_findings(findings: Sequence[Finding], console: Console | None = None) -> None:
    """Prints a table, the worst first; nothing if there are none."""
    if not findings:
        return
    table = Table(title="What keras_l4 found", title_justify="left", show_lines=True)
    table.add_column("finding", max_width=30)
    table.add_column("what was seen, and what to do", ratio=1)
    for finding in findings:
        # Text, not markup: names of layers may hold square brackets.
        name = Text(finding.code, style=_STYLES[finding.severity])
        name.append(f"\n{finding.severity}, {steps_of(finding)}\n{where_of(finding)}", "default")
        what = Text(f"{finding.explanation}\n→ {finding.advice}")
        table.add_row(name, what)
    (console or Console()).print(table)


def line(finding: Finding) -> str:
    """One line: what a user should know at once."""
    return f"{finding.code} at {steps_of(finding)}: {finding.explanation}"


def markdown(findings: Sequence[Finding]) -> str:
    """A table for TensorBoard's Text tab.

    >>> print(markdown([]))
    No findings.
    """
    if not findings:
        return "No findings."
    rows = [
        (f.severity, f.code, where_of(f), steps_of(f), f"{f.explanation} {f.advice}")
        for f in findings
    ]
    head = ["| severity | finding | where | steps | what |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)])


def where_of(finding: Finding) -> str:
    """The layers in short."""
    layers = list(finding.layers)
    if not layers:
        return "whole model"
    if len(layers) <= 3:
        return ", ".join(layers)
    return f"{layers[0]} … {layers[-1]} ({len(layers)} layers)"


def steps_of(finding: Finding) -> str:
    """The steps in short."""
    if finding.first_step == finding.last_step:
        return f"step {finding.first_step}"
    return f"steps {finding.first_step}–{finding.last_step}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
