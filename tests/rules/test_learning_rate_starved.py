from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rules.records import LOST, NUM_STEPS, block, found, record, severities

FALLING = np.geomspace(1.0, 1e-4, NUM_STEPS)[:, None]


def test_a_rate_that_falls_while_the_gradient_does_not() -> None:
    steps = block(effective_learning_rate=FALLING)
    (finding,) = found(record(steps, accuracy=LOST), "learning-rate-starved")
    assert finding.severity == "warning"
    assert finding.evidence["rate_fell_by_factor"] > 1000


def test_it_is_a_note_where_the_model_learned() -> None:
    assert severities(record(block(effective_learning_rate=FALLING)), "learning-rate-starved") == [
        "info"
    ]


def test_silent_where_the_gradient_falls_too() -> None:
    steps = block(effective_learning_rate=FALLING, gradient=FALLING)
    assert found(record(steps, accuracy=LOST), "learning-rate-starved") == []


def test_silent_where_the_rate_goes_up_and_down() -> None:
    """Adam forgets."""
    waves = FALLING * (1 + 0.1 * np.sin(np.arange(NUM_STEPS)))[:, None]
    steps = block(effective_learning_rate=waves)
    assert found(record(steps, accuracy=LOST), "learning-rate-starved") == []


def scheduled(rate: np.ndarray, accuracy: float = LOST) -> object:
    steps = block(effective_learning_rate=rate[:, None])
    return record(replace(steps, learning_rate=rate), accuracy=accuracy)


def test_a_schedule_that_ends_long_before_the_run() -> None:
    (finding,) = found(scheduled(np.geomspace(1.0, 1e-6, NUM_STEPS)), "learning-rate-starved")
    assert finding.severity == "warning"
    assert finding.evidence["by_half_of_the_schedule"] == pytest.approx(1e3, rel=0.1)
    assert "schedule" in finding.advice


def test_a_schedule_that_leaves_nothing() -> None:
    """A cosine over half of the steps, after which Keras keeps the rate at exactly 0."""
    cosine = 0.5 * (1 + np.cos(np.minimum(np.linspace(0, 2.5 * np.pi, NUM_STEPS), np.pi)))
    (finding,) = found(scheduled(cosine), "learning-rate-starved")
    assert finding.severity == "warning"
    assert finding.evidence["by_half_of_the_schedule"] == np.inf
    assert "fell to 0 and" in finding.explanation


def test_silent_where_a_schedule_ends_with_the_run() -> None:
    cosine = 0.5 * (1 + np.cos(np.linspace(0, np.pi, NUM_STEPS)))
    assert found(scheduled(cosine), "learning-rate-starved") == []


def test_silent_where_the_rate_is_constant_or_not_known() -> None:
    for rate in (0.1, 0.0, np.nan):
        assert found(scheduled(np.full(NUM_STEPS, rate)), "learning-rate-starved") == []
