from __future__ import annotations

import numpy as np

from tests.rules.records import LOST, NUM_STEPS, block, found, record


def test_a_loss_that_rises_above_its_start() -> None:
    steps = block(loss=np.geomspace(1.0, 50.0, NUM_STEPS))
    (finding,) = found(record(steps, accuracy=LOST), "learning-rate-too-high")
    assert (finding.severity, finding.title) == ("error", "The loss diverges")
    assert finding.evidence["loss_at_end"] > 20


def test_a_rise_within_few_steps_that_ends_in_nan() -> None:
    loss = np.where(np.arange(NUM_STEPS) < 4, 10.0 ** np.arange(NUM_STEPS).clip(0, 4), np.nan)
    gradient = np.where(np.arange(NUM_STEPS)[:, None] < 4, 1.0, np.nan)
    (finding,) = found(record(block(loss=loss, gradient=gradient)), "learning-rate-too-high")
    assert "to NaN" in finding.explanation


def test_weights_that_go_far_and_get_nowhere() -> None:
    steps = block(ratio=0.2, loss=np.ones(NUM_STEPS))
    (finding,) = found(record(steps, accuracy=0.5), "learning-rate-too-high")
    assert finding.severity == "warning"
    assert 19 < finding.evidence["way_of_weights_in_their_norms"] < 21


def test_silent_where_that_way_was_worth_it() -> None:
    assert found(record(block(ratio=0.2), accuracy=0.5), "learning-rate-too-high") == []
    flat = block(ratio=0.2, loss=np.ones(NUM_STEPS))
    assert found(record(flat, accuracy=0.95), "learning-rate-too-high") == []


def test_silent_where_the_first_batch_was_easy() -> None:
    loss = np.append(0.01, np.full(NUM_STEPS - 1, 0.5))
    assert found(record(block(loss=loss)), "learning-rate-too-high") == []
