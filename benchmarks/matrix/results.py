"""The results of the full matrix, and the table of them in the README. Needs no Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.fingerprint import RECORDING

FILE = Path(__file__).with_name("results.json")
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
MEASURED_CODE = (*RECORDING, "benchmarks.matrix")

Outcomes: TypeAlias = dict[str, str]
"""Optimizer to outcome: `"ok"`, or why the combination is not trained."""


def load() -> dict[str, Any]:
    """Returns the content of the file.

    `cells` has the outcomes by backend and mode, `labels` the name of each mode in the table, and
    `machine` and `fingerprints` say per backend where and on which code the last full run was made.
    """
    return json.loads(FILE.read_text(encoding="utf-8"))


def save(results: dict[str, Any]) -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def table(results: dict[str, Any]) -> str:
    """Returns a Markdown table with a row per mode, and below it why cells are not trained."""
    note_numbers: dict[str, int] = {}
    head = ["mode", *BACKENDS.values()]
    rows = [
        [label, *(_cell(results["cells"].get(b, {}).get(mode, {}), note_numbers) for b in BACKENDS)]
        for mode, label in results["labels"].items()
    ]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    notes = [f"{number}. {reason}" for reason, number in note_numbers.items()]
    return "\n".join([*lines, "", *notes])


def _cell(outcomes: Outcomes, note_numbers: dict[str, int]) -> str:
    if not outcomes:
        return "–"
    reasons = sorted({outcome for outcome in outcomes.values() if outcome != "ok"})
    references = ", ".join(
        f"({note_numbers.setdefault(reason, len(note_numbers) + 1)})" for reason in reasons
    )
    num_ok = sum(outcome == "ok" for outcome in outcomes.values())
    return f"{num_ok} of {len(outcomes)} {references}".strip()
