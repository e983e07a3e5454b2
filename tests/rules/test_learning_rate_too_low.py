from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rules.records import LOST, NUM_STEPS, block, facts, found, record, response

SLOW = {"ratio": 1e-4, "loss": np.linspace(1.0, 0.98, NUM_STEPS)}


def test_weights_that_hardly_moved() -> None:
    (finding,) = found(record(block(**SLOW), accuracy=LOST), "learning-rate-too-low")
    assert finding.severity == "warning"
    assert finding.evidence["way_of_weights_in_their_norms"] == pytest.approx(0.02)
    assert finding.evidence["steps_to_go_once_its_norm"] == pytest.approx(1e4)


def test_silent_where_the_model_learned() -> None:
    assert found(record(block(**SLOW)), "learning-rate-too-low") == []


def test_silent_where_the_weights_moved() -> None:
    steps = block(**(SLOW | {"ratio": 0.01}))
    assert found(record(steps, accuracy=LOST), "learning-rate-too-low") == []


def test_silent_where_a_layer_has_no_gradient() -> None:
    steps = block(gradient=[0.0, 0.1, 0.1], **SLOW)
    assert found(record(steps, accuracy=LOST), "learning-rate-too-low") == []


def test_silent_where_the_gradient_died_early() -> None:
    """What stands still for want of a gradient is not helped by a rate."""
    alive = np.arange(NUM_STEPS)[:, None] < NUM_STEPS // 5
    steps = block(gradient=np.where(alive, 0.1, 0.0) * np.ones(3), **SLOW)
    assert found(record(steps, accuracy=LOST), "learning-rate-too-low") == []


def test_a_model_that_was_trained_before_may_stand_still() -> None:
    known = replace(facts(), iterations=1000)
    run = record(block(**SLOW), known, accuracy=LOST)
    assert [f.severity for f in found(run, "learning-rate-too-low")] == ["info"]


def test_a_try_of_a_few_steps_says_nothing() -> None:
    steps = block(num_steps=20, ratio=1e-4, loss=np.ones(20))
    run = record(steps, responses=[response(20, LOST)])
    assert found(run, "learning-rate-too-low") == []


def test_a_short_run_at_a_good_pace_lacks_steps() -> None:
    """One epoch of a healthy model: a five hundredth of the norm per step, and not there yet."""
    steps = block(num_steps=57, ratio=2e-3, loss=np.linspace(2.3, 2.0, 57))
    run = record(steps, responses=[response(57, LOST)])
    assert found(run, "learning-rate-too-low") == []
