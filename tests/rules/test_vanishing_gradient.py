from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import CONSTANT_ACCURACY, block, found, record, severities

FADING = np.geomspace(1e-6, 1e-1, 6)


def test_vanishing_gradient_of_an_unskilled_model_is_a_warning() -> None:
    run = record(block(depth=6, gradient=FADING), accuracy=CONSTANT_ACCURACY)
    (finding,) = found(run, "vanishing-gradient")

    assert finding.severity == "warning"
    assert finding.layers == tuple(f"dense_{i}" for i in range(3))
    assert finding.evidence["factor_per_layer"] == pytest.approx(0.1, rel=1e-3)
    assert finding.evidence["first_to_last_layer"] == pytest.approx(1e-5, rel=1e-2)


def test_skilled_model_gets_info() -> None:
    assert severities(record(block(depth=6, gradient=FADING)), "vanishing-gradient") == ["info"]


@pytest.mark.parametrize("gradient", [0.1, FADING[::-1], [1e-6, 1e-1, 1e-6, 1e-1, 1e-6, 1e-1]])
def test_other_profiles_are_no_finding(gradient: object) -> None:
    run = record(block(depth=6, gradient=gradient), accuracy=CONSTANT_ACCURACY)
    assert found(run, "vanishing-gradient") == []


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_finding_is_independent_of_the_gradient_scale(factor: float) -> None:
    run = record(block(depth=6, gradient=FADING * factor), accuracy=CONSTANT_ACCURACY)
    assert severities(run, "vanishing-gradient") == ["warning"]


def test_small_gradients_of_small_weights_are_no_finding() -> None:
    run = record(block(depth=6, gradient=FADING, weight=FADING), accuracy=CONSTANT_ACCURACY)
    assert found(run, "vanishing-gradient") == []
