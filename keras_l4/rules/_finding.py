"""Finding: one thing that is wrong, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """One cause of trouble in a run.

    Attributes:
        code: What it is, e.g. `"vanishing-gradient"`: the name of the rule that found it.
        title: What it is, in a few words.
        severity: `"info"`, `"warning"` (training is worse for it) or `"error"` (it is spoiled).
        layers: Names of the layers it is about, in forward order; empty for the whole model.
        first_step: First step at which it was seen.
        last_step: Last step at which it was seen.
        evidence: Name to what was measured, or what it was compared with: numbers and text.
        explanation: What was seen, and why it is bad.
        advice: What to do.

    >>> finding = Finding("plateau", "Loss is flat", "info", (), 1, 9, {"loss": 0.5}, "…", "…")
    >>> finding.as_dict()["evidence"]
    {'loss': 0.5}
    """

    code: str
    title: str
    severity: Severity
    layers: tuple[str, ...]
    first_step: int
    last_step: int
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)
    explanation: str = ""
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them: what is no number there, NaN and Inf, is text."""
        fields = asdict(self)
        evidence = {name: _plain(value) for name, value in self.evidence.items()}
        return fields | {"layers": list(self.layers), "evidence": evidence}

    @property
    def rank(self) -> int:
        """How severe it is, as a number: 0 for `"info"`."""
        return SEVERITIES.index(self.severity)


def _plain(value: float | int | str) -> float | int | str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    return float(value) if np.isfinite(value) else str(float(value))
