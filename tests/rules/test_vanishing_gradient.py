from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import LOST, block, found, record, severities

FADING = np.geomspace(1e-6, 1e-1, 6)


def test_a_gradient_that_fades_in_a_model_that_does_not_learn() -> None:
    run = record(block(depth=6, gradient=FADING), accuracy=LOST)
    (finding,) = found(run, "vanishing-gradient")

    assert finding.severity == "warning"
    assert finding.layers == tuple(f"dense_{i}" for i in range(3))
    assert finding.evidence["factor_per_layer"] == pytest.approx(0.1, rel=1e-3)
    assert finding.evidence["first_to_last_layer"] == pytest.approx(1e-5, rel=1e-2)


def test_it_is_a_note_where_the_model_learns() -> None:
    assert severities(record(block(depth=6, gradient=FADING)), "vanishing-gradient") == ["info"]


@pytest.mark.parametrize("gradient", [0.1, FADING[::-1], [1e-6, 1e-1, 1e-6, 1e-1, 1e-6, 1e-1]])
def test_silent_on_gradients_that_do_not_fade(gradient: object) -> None:
    run = record(block(depth=6, gradient=gradient), accuracy=LOST)
    assert found(run, "vanishing-gradient") == []


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_only_ratios_count(factor: float) -> None:
    run = record(block(depth=6, gradient=FADING * factor), accuracy=LOST)
    assert severities(run, "vanishing-gradient") == ["warning"]


def test_small_gradients_of_small_weights_do_not_fade() -> None:
    run = record(block(depth=6, gradient=FADING, weight=FADING), accuracy=LOST)
    assert found(run, "vanishing-gradient") == []
