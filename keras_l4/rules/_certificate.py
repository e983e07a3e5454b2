"""Certificate: what was measured of the place at which a run stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_l4.records.annotations import CurvatureMeasurement
from keras_l4.rules._evidence import RunView

PLACE = "place"
"""Name of the evidence that a finding has only with a certificate."""


@dataclass(frozen=True)
class Certificate:
    """The part of a finding that rests on a measurement of the curvature.

    Attributes:
        evidence: Name to what was measured; empty without a measurement.
        explanation: A sentence about it, likewise.
    """

    evidence: Mapping[str, float | int | str]
    explanation: str


def certificate(run: RunView, first_step: int) -> Certificate:
    """That of the last measurement, if it was made at `first_step` or later."""
    last = run.curvature
    if last is None or last.step < first_step:
        return Certificate({}, "")
    return Certificate(_evidence(last), _explanation(last))


def _evidence(note: CurvatureMeasurement) -> dict[str, float | int | str]:
    numbers = {
        "gradient_norm": note.gradient_norm,
        "smallest_curvature": note.smallest,
        "largest_curvature": note.largest,
        "noise_scale": note.noise_scale,
    }
    known = {name: value for name, value in numbers.items() if not np.isnan(value)}
    changes = {f"loss_change_{name}": change for name, change in note.changes.items()}
    distance = {"distance": note.distance} if changes else {}
    return {PLACE: note.kind, "measured_at_step": note.step, **known, **distance, **changes}


def _explanation(note: CurvatureMeasurement) -> str:
    found = (
        f" Measured after step {note.step}: {note.kind}, gradient norm {note.gradient_norm:.2g}, "
        f"curvature from {note.smallest:.2g} to {note.largest:.2g}"
    )
    if note.changes:
        least, most = min(note.changes.values()), max(note.changes.values())
        found += f"; at a distance of {note.distance:.2g} the loss changes by {least:+.2g} to {most:+.2g}"
    if not np.isnan(note.noise_scale):
        found += f"; gradient noise scale {note.noise_scale:.3g} examples"
    return f"{found}."
