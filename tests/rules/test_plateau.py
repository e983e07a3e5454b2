from __future__ import annotations

import numpy as np
import pytest

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
