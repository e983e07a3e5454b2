"""What the whole matrix gave, and the table that the README shows of it. Needs no Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("results.json")
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
Cells = dict[str, dict[str, dict[str, str]]]


def load() -> dict[str, Any]:
    """`date`, `versions`, `says` (mode to row) and `cells` (backend, mode, optimizer)."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def table(results: dict[str, Any]) -> str:
    """Markdown: a row per mode, a column per backend, and below it why cells are missing."""
    notes: dict[str, int] = {}
    head = ["mode", *BACKENDS.values()]
    rows = [
        [says, *(_cell(results["cells"].get(b, {}).get(mode, {}), notes) for b in BACKENDS)]
        for mode, says in results["says"].items()
    ]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    reasons = [f"{number}. {reason}" for reason, number in notes.items()]
    return "\n".join([*lines, "", *reasons])


def _cell(outcomes: dict[str, str], notes: dict[str, int]) -> str:
    if not outcomes:
        return "–"
    reasons = sorted({outcome for outcome in outcomes.values() if outcome != "ok"})
    marks = ", ".join(f"({notes.setdefault(reason, len(notes) + 1)})" for reason in reasons)
    num_ok = sum(outcome == "ok" for outcome in outcomes.values())
    return f"{num_ok} of {len(outcomes)} {marks}".strip()
