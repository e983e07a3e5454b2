"""Finding: one problem of a run, with evidence and advice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """One problem of a run.

    Attributes:
        code: Name of the rule that reported it, e.g. `"vanishing-gradient"`.
        title: The problem in a few words.
        severity: `"info"` (no visible harm), `"warning"` (the model trains worse because of it)
            or `"error"` (the run is lost).
        layers: Names of the affected layers, in forward order; empty for the whole model.
        first_step: First step at which the problem was visible.
        last_step: Last step at which the problem was visible.
        evidence: Name to measured value, or to the threshold that it was compared with.
        explanation: The measurement in words, and its consequence.
        advice: How to fix the problem.

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
        """Returns the fields as JSON types; NaN and Inf, which JSON does not have, as strings."""
        fields = asdict(self)
        evidence = {name: _to_json(value) for name, value in self.evidence.items()}
        return fields | {"layers": list(self.layers), "evidence": evidence}

    @property
    def rank(self) -> int:
        """The severity as a number: 0 for `"info"`, 2 for `"error"`."""
        return SEVERITIES.index(self.severity)


def _to_json(value: float | int | str) -> float | int | str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    return float(value) if np.isfinite(value) else str(float(value))
