from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import (
    LOST,
    NUM_STEPS,
    answer,
    block,
    facts,
    found,
    inputs,
    record,
    response,
    severities,
)

GROWING = np.geomspace(0.1, 1e6, NUM_STEPS)[:, None]
RISING = np.geomspace(1.0, 1e8, NUM_STEPS)


def test_gradient_and_loss_that_grow() -> None:
    (finding,) = found(
        record(block(gradient=GROWING, loss=RISING), accuracy=LOST), "exploding-gradient"
    )
    assert finding.severity == "error"
    assert 50 < finding.first_step < 100
    assert finding.evidence["growth"] > 1e6


def test_growth_that_ends_in_nan() -> None:
    gradient = np.where(np.arange(NUM_STEPS)[:, None] < 150, GROWING, np.nan)
    assert severities(record(block(gradient=gradient), accuracy=LOST), "exploding-gradient") == [
        "error"
    ]


def test_a_gradient_that_grows_while_the_loss_falls_is_learning() -> None:
    assert found(record(block(gradient=GROWING)), "exploding-gradient") == []
    density = block(gradient=GROWING, loss=np.linspace(0.2, -5.0, NUM_STEPS))
    assert found(record(density), "exploding-gradient") == []


def test_a_signal_that_overflows_before_training() -> None:
    layers = [answer("dense_0"), answer("dense_1", num_nonfinite=3), answer("dense_2")]
    run = record(block(gradient=np.nan), responses=[response(0, LOST, layers=layers)])
    (finding,) = found(run, "exploding-gradient")
    assert finding.evidence["first_layer_with_nonfinite_outputs"] == "dense_1"


@pytest.mark.parametrize(
    ("size", "scale", "accuracy", "severities"),
    [(500.0, 1.0, 0.5, ["error"]), (500.0, 1.0, 0.9, []), (50.0, 1.0, 0.5, []),
     (500.0, 100.0, 0.5, []), (50.0, 0.01, 0.5, [])],
)  # fmt: skip
def test_a_signal_that_grows_from_layer_to_layer(
    size: float, scale: float, accuracy: float, severities: list[str]
) -> None:
    """Above the inputs, and above 1, which is what normalized ones would be."""
    layers = [answer("dense_0"), answer("dense_1", mean_abs=size), answer("dense_2")]
    answers = [response(0, LOST, layers=layers), response(NUM_STEPS, accuracy)]
    run = record(known=facts(inputs=inputs(scale=scale)), responses=answers)
    assert [f.severity for f in found(run, "exploding-gradient")] == severities


def test_growth_towards_the_input_in_a_model_that_does_not_learn() -> None:
    steps = block(depth=6, gradient=np.geomspace(1e5, 1.0, 6))
    assert severities(record(steps, accuracy=LOST), "exploding-gradient") == ["error"]
    assert found(record(steps), "exploding-gradient") == []


def test_nan_out_of_the_blue_is_no_growth() -> None:
    gradient = np.where(np.arange(NUM_STEPS)[:, None] < 150, 0.1, np.nan)
    assert found(record(block(gradient=gradient), accuracy=LOST), "exploding-gradient") == []


def test_inf_is_what_growth_comes_to() -> None:
    run = record(block(gradient=np.inf), accuracy=LOST)
    (finding,) = found(run, "exploding-gradient")
    assert finding.evidence["steps_with_infinite_gradients"] > 0
