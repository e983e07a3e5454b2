from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, block, epochs, found, record


def run(height: float, accuracy: float) -> object:
    losses = 1.0 + height * (np.arange(20) % 2)
    return record(accuracy=accuracy, annotations=epochs(np.full(20, accuracy), losses))


@pytest.mark.parametrize(
    ("height", "accuracy", "severity"),
    [(0.05, CONSTANT_ACCURACY, "warning"), (0.05, 0.9, "info"), (0.3, 0.9, "warning")],
)
def test_severity_depends_on_height_and_accuracy(
    height: float, accuracy: float, severity: str
) -> None:
    (finding,) = found(run(height, accuracy), "oscillation")
    assert finding.severity == severity


def test_small_oscillation_is_no_finding() -> None:
    assert found(run(0.01, CONSTANT_ACCURACY), "oscillation") == []


def test_oscillation_of_a_decreasing_loss_is_no_finding() -> None:
    losses = np.linspace(1.0, 0.0, 20) + 0.01 * (np.arange(20) % 2)
    assert found(record(annotations=epochs(np.full(20, 0.9), losses)), "oscillation") == []


def test_damped_oscillation_is_no_finding() -> None:
    """Momentum on a quadratic loss."""
    times = np.arange(40)
    losses = 0.5 + 3.0 * np.exp(-times / 6) * (1 + np.cos(times * np.pi / 2))
    assert (
        found(
            record(
                accuracy=CONSTANT_ACCURACY,
                annotations=epochs(np.full(40, CONSTANT_ACCURACY), losses),
            ),
            "oscillation",
        )
        == []
    )


def test_parts_of_the_run_replace_few_epochs() -> None:
    loss = 1.0 + 0.3 * (np.arange(NUM_STEPS) // 10 % 2)
    assert len(found(record(block(loss=loss), accuracy=CONSTANT_ACCURACY), "oscillation")) == 1


def test_batch_noise_is_subtracted() -> None:
    noise = np.random.default_rng(0).exponential(1.0, 400)
    quiet = record(block(num_steps=400, loss=noise), accuracy=0.9)
    assert found(quiet, "oscillation") == []
    swings = noise + 2.0 * (np.arange(400) // 20 % 2)
    assert len(found(record(block(num_steps=400, loss=swings), accuracy=0.9), "oscillation")) == 1
