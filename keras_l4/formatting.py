"""Formats findings: a table for the terminal, Markdown for TensorBoard, single lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_l4.rules import Finding

_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_MAX_LAYERS = 3


def print_findings(findings: Sequence[Finding], console: Console | None = None) -> None:
    """Prints the findings as a table; prints nothing if there are none."""
    if not findings:
        return
    table = Table(title="Findings", title_justify="left", show_lines=True)
    table.add_column("finding", max_width=30)
    table.add_column("explanation and advice", ratio=1)
    for finding in findings:
        # `Text` instead of a string: rich would parse square brackets in layer names as markup.
        name = Text(finding.code, style=_STYLES[finding.severity])
        place = f"\n{finding.severity}, {format_steps(finding)}\n{format_layers(finding)}"
        name.append(place, "default")
        table.add_row(name, Text(f"{finding.explanation}\n→ {finding.advice}"))
    (console or Console()).print(table)


def format_line(finding: Finding) -> str:
    """Returns one line for a finding that is printed during training."""
    return f"{finding.code} at {format_steps(finding)}: {finding.explanation}"


def format_markdown(findings: Sequence[Finding]) -> str:
    """Returns a table for TensorBoard's Text tab.

    >>> print(format_markdown([]))
    No findings.
    """
    if not findings:
        return "No findings."
    rows = [
        (f.severity, f.code, format_layers(f), format_steps(f), f"{f.explanation} {f.advice}")
        for f in findings
    ]
    head = [
        "| severity | finding | layers | steps | explanation and advice |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(f"| {' | '.join(map(_escape_cell, row))} |" for row in rows)])


def format_layers(finding: Finding) -> str:
    """Returns the layers of a finding, abbreviated if there are more than three."""
    layers = finding.layers
    if not layers:
        return "whole model"
    if len(layers) <= _MAX_LAYERS:
        return ", ".join(layers)
    return f"{layers[0]} … {layers[-1]} ({len(layers)} layers)"


def format_steps(finding: Finding) -> str:
    """Returns the first and the last step of a finding."""
    if finding.first_step == finding.last_step:
        return f"step {finding.first_step}"
    return f"steps {finding.first_step}–{finding.last_step}"


def _escape_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
