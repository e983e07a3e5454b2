from __future__ import annotations

import numpy as np
import pytest

from tests.rules.curvatures import measured
from tests.rules.records import LOST, NUM_STEPS, block, found, record

FLAT = np.ones(NUM_STEPS)
FADING = np.geomspace(1.0, 1e-3, NUM_STEPS)[:, None]


@pytest.mark.parametrize(
    ("accuracy", "gradient", "kind", "severity"),
    [(LOST, FADING, "flat", "warning"), (LOST, 0.1, "noise", "warning"),
     (0.99, FADING, "converged", "info")],
)  # fmt: skip
def test_three_kinds(accuracy: float, gradient: object, kind: str, severity: str) -> None:
    (finding,) = found(record(block(loss=FLAT, gradient=gradient), accuracy=accuracy), "plateau")
    assert (finding.evidence["kind"], finding.severity) == (kind, severity)


def test_silent_while_the_loss_falls() -> None:
    assert found(record(), "plateau") == []


def test_what_was_measured_of_the_place_is_evidence() -> None:
    run = record(block(loss=FLAT), accuracy=LOST)
    changes = {"+v_min": -1e-3, "-v_min": -2e-3}
    saddle = measured(run, kind="saddle", changes=changes, noise_scale=float("nan"))
    (finding,) = found(saddle, "plateau")

    assert finding.evidence["place"] == "saddle"
    assert finding.evidence["measured_at_step"] == NUM_STEPS
    assert finding.evidence["gradient_norm"] == 0.01
    assert finding.evidence["smallest_curvature"] == -0.1
    assert finding.evidence["largest_curvature"] == 5.0
    assert finding.evidence["loss_change_-v_min"] == -2e-3
    assert finding.evidence["distance"] == 0.1
    assert "noise_scale" not in finding.evidence
    assert "the loss changes by -0.002 to -0.001" in finding.explanation
    (noisy,) = found(measured(run, kind="noise-limited"), "plateau")
    assert noisy.evidence["noise_scale"] == 3.0
    assert "distance" not in noisy.evidence
    assert "gradient noise scale 3 examples" in noisy.explanation


def test_a_measurement_from_before_says_nothing_of_it() -> None:
    run = record(block(loss=FLAT), accuracy=LOST)
    (finding,) = found(run, "plateau")
    (early,) = found(measured(run, step=finding.first_step - 1), "plateau")
    (inside,) = found(measured(run, step=finding.first_step), "plateau")
    assert "place" not in finding.evidence
    assert "place" not in early.evidence
    assert early.explanation == finding.explanation
    assert "place" in inside.evidence
