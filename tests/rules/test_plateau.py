from __future__ import annotations

import numpy as np
import pytest

from tests.rules.curvatures import measured
from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, block, found, record

FLAT = np.ones(NUM_STEPS)
FADING = np.geomspace(1.0, 1e-3, NUM_STEPS)[:, None]


@pytest.mark.parametrize(
    ("accuracy", "gradient", "kind", "severity"),
    [(CONSTANT_ACCURACY, FADING, "flat", "warning"), (CONSTANT_ACCURACY, 0.1, "noise", "warning"),
     (0.99, FADING, "converged", "info")],
)  # fmt: skip
def test_plateau_is_classified(accuracy: float, gradient: object, kind: str, severity: str) -> None:
    (finding,) = found(record(block(loss=FLAT, gradient=gradient), accuracy=accuracy), "plateau")
    assert (finding.evidence["kind"], finding.severity) == (kind, severity)


def test_decreasing_loss_is_no_finding() -> None:
    assert found(record(), "plateau") == []


def test_curvature_measurement_becomes_evidence() -> None:
    run = record(block(loss=FLAT), accuracy=CONSTANT_ACCURACY)
    changes = {"+v_min": -1e-3, "-v_min": -2e-3}
    saddle = measured(run, kind="saddle", changes=changes, noise_scale=float("nan"))
    (finding,) = found(saddle, "plateau")

    assert finding.evidence["point_kind"] == "saddle"
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


def test_measurement_before_the_plateau_is_ignored() -> None:
    run = record(block(loss=FLAT), accuracy=CONSTANT_ACCURACY)
    (finding,) = found(run, "plateau")
    (early,) = found(measured(run, step=finding.first_step - 1), "plateau")
    (inside,) = found(measured(run, step=finding.first_step), "plateau")
    assert "point_kind" not in finding.evidence
    assert "point_kind" not in early.evidence
    assert early.explanation == finding.explanation
    assert "point_kind" in inside.evidence
