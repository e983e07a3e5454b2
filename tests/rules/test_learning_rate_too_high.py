from __future__ import annotations

from dataclasses import replace

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


def test_near_zero_each_step_is_far() -> None:
    """Weights whose best value is 0 are told by the norm that they had at first."""
    shrunk = np.geomspace(1.0, 0.01, NUM_STEPS)[:, None]
    steps = block(weight=shrunk, ratio=0.01 / shrunk, loss=np.ones(NUM_STEPS))
    assert found(record(steps, accuracy=LOST), "learning-rate-too-high") == []


def test_the_bias_of_a_gru_connects_nothing() -> None:
    """It has two rows, and is 0 at first."""
    steps = block(ratio=0.2, loss=np.ones(NUM_STEPS))
    biases = [replace(v, path=f"{v.layer}/bias", shape=(2, 24)) for v in steps.variables]
    run = record(replace(steps, variables=tuple(biases)), accuracy=LOST)
    assert found(run, "learning-rate-too-high") == []


def test_silent_where_that_way_was_worth_it() -> None:
    assert found(record(block(ratio=0.2), accuracy=0.5), "learning-rate-too-high") == []
    flat = block(ratio=0.2, loss=np.ones(NUM_STEPS))
    assert found(record(flat, accuracy=0.95), "learning-rate-too-high") == []


def test_silent_where_the_first_batch_was_easy() -> None:
    loss = np.append(0.01, np.full(NUM_STEPS - 1, 0.5))
    assert found(record(block(loss=loss)), "learning-rate-too-high") == []
