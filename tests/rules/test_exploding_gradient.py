from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import (
    CONSTANT_ACCURACY,
    NUM_STEPS,
    activation_stats,
    block,
    found,
    inputs,
    model_metadata,
    probe_result,
    record,
    severities,
)

GROWING = np.geomspace(0.1, 1e6, NUM_STEPS)[:, None]
RISING = np.geomspace(1.0, 1e8, NUM_STEPS)


def test_growing_gradient_and_loss_are_an_error() -> None:
    (finding,) = found(
        record(block(gradient=GROWING, loss=RISING), accuracy=CONSTANT_ACCURACY),
        "exploding-gradient",
    )
    assert finding.severity == "error"
    assert 50 < finding.first_step < 100
    assert finding.evidence["growth"] > 1e6


def test_growth_that_ends_in_nan_is_an_error() -> None:
    gradient = np.where(np.arange(NUM_STEPS)[:, None] < 150, GROWING, np.nan)
    assert severities(
        record(block(gradient=gradient), accuracy=CONSTANT_ACCURACY), "exploding-gradient"
    ) == ["error"]


def test_growing_gradient_with_decreasing_loss_is_no_finding() -> None:
    assert found(record(block(gradient=GROWING)), "exploding-gradient") == []
    density = block(gradient=GROWING, loss=np.linspace(0.2, -5.0, NUM_STEPS))
    assert found(record(density), "exploding-gradient") == []


def test_overflow_of_the_untrained_model_is_reported() -> None:
    layers = [
        activation_stats("dense_0"),
        activation_stats("dense_1", num_nonfinite=3),
        activation_stats("dense_2"),
    ]
    run = record(block(gradient=np.nan), probes=[probe_result(0, CONSTANT_ACCURACY, layers=layers)])
    (finding,) = found(run, "exploding-gradient")
    assert finding.evidence["first_layer_with_nonfinite_outputs"] == "dense_1"


@pytest.mark.parametrize(
    ("size", "scale", "accuracy", "severities"),
    [(500.0, 1.0, 0.5, ["error"]), (500.0, 1.0, 0.9, []), (50.0, 1.0, 0.5, []),
     (500.0, 100.0, 0.5, []), (50.0, 0.01, 0.5, [])],
)  # fmt: skip
def test_activations_that_exceed_the_inputs_by_100_are_an_error(
    size: float, scale: float, accuracy: float, severities: list[str]
) -> None:
    """They are compared with the larger of 1 and the scale of the inputs."""
    layers = [
        activation_stats("dense_0"),
        activation_stats("dense_1", mean_abs=size),
        activation_stats("dense_2"),
    ]
    probes = [probe_result(0, CONSTANT_ACCURACY, layers=layers), probe_result(NUM_STEPS, accuracy)]
    run = record(metadata=model_metadata(inputs=inputs(scale=scale)), probes=probes)
    assert [f.severity for f in found(run, "exploding-gradient")] == severities


def test_growth_towards_the_input_requires_an_unskilled_model() -> None:
    steps = block(depth=6, gradient=np.geomspace(1e5, 1.0, 6))
    assert severities(record(steps, accuracy=CONSTANT_ACCURACY), "exploding-gradient") == ["error"]
    assert found(record(steps), "exploding-gradient") == []


def test_nan_without_growth_is_no_finding() -> None:
    gradient = np.where(np.arange(NUM_STEPS)[:, None] < 150, 0.1, np.nan)
    assert (
        found(record(block(gradient=gradient), accuracy=CONSTANT_ACCURACY), "exploding-gradient")
        == []
    )


def test_infinite_gradients_count_as_growth() -> None:
    run = record(block(gradient=np.inf), accuracy=CONSTANT_ACCURACY)
    (finding,) = found(run, "exploding-gradient")
    assert finding.evidence["steps_with_infinite_gradients"] > 0
