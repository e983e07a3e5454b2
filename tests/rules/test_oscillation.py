from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import LOST, NUM_STEPS, block, epochs, found, record


def run(height: float, accuracy: float) -> object:
    losses = 1.0 + height * (np.arange(20) % 2)
    return record(accuracy=accuracy, shown=epochs(np.full(20, accuracy), losses))


@pytest.mark.parametrize(
    ("height", "accuracy", "severity"),
    [(0.05, LOST, "warning"), (0.05, 0.9, "info"), (0.3, 0.9, "warning")],
)
def test_epochs_that_undo_each_other(height: float, accuracy: float, severity: str) -> None:
    (finding,) = found(run(height, accuracy), "oscillation")
    assert finding.severity == severity


def test_silent_where_it_would_not_be_seen() -> None:
    assert found(run(0.01, LOST), "oscillation") == []


def test_silent_where_the_loss_falls_all_the_same() -> None:
    losses = np.linspace(1.0, 0.0, 20) + 0.01 * (np.arange(20) % 2)
    assert found(record(shown=epochs(np.full(20, 0.9), losses)), "oscillation") == []


def test_silent_where_it_rang_and_settled() -> None:
    """What momentum does to a bowl."""
    times = np.arange(40)
    losses = 0.5 + 3.0 * np.exp(-times / 6) * (1 + np.cos(times * np.pi / 2))
    assert (
        found(record(accuracy=LOST, shown=epochs(np.full(40, LOST), losses)), "oscillation") == []
    )


def test_parts_of_a_run_stand_for_epochs_where_there_are_few() -> None:
    loss = 1.0 + 0.3 * (np.arange(NUM_STEPS) // 10 % 2)
    assert len(found(record(block(loss=loss), accuracy=LOST), "oscillation")) == 1


def test_parts_of_a_run_differ_by_their_batches() -> None:
    noise = np.random.default_rng(0).exponential(1.0, 400)
    quiet = record(block(num_steps=400, loss=noise), accuracy=0.9)
    assert found(quiet, "oscillation") == []
    swings = noise + 2.0 * (np.arange(400) // 20 % 2)
    assert len(found(record(block(num_steps=400, loss=swings), accuracy=0.9), "oscillation")) == 1
