from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, block, found, record, severities

FALLING = np.geomspace(1.0, 1e-4, NUM_STEPS)[:, None]


def test_decaying_rate_with_constant_gradient_is_a_warning() -> None:
    steps = block(effective_learning_rate=FALLING)
    (finding,) = found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-starved")
    assert finding.severity == "warning"
    assert finding.evidence["decay_factor"] > 1000


def test_skilled_model_gets_info() -> None:
    assert severities(record(block(effective_learning_rate=FALLING)), "learning-rate-starved") == [
        "info"
    ]


def test_decaying_gradient_is_no_finding() -> None:
    steps = block(effective_learning_rate=FALLING, gradient=FALLING)
    assert found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-starved") == []


def test_rate_that_rises_again_is_no_finding() -> None:
    """Adam, unlike Adagrad, forgets old gradients."""
    waves = FALLING * (1 + 0.1 * np.sin(np.arange(NUM_STEPS)))[:, None]
    steps = block(effective_learning_rate=waves)
    assert found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-starved") == []


def scheduled(rate: np.ndarray, accuracy: float = CONSTANT_ACCURACY) -> object:
    steps = block(effective_learning_rate=rate[:, None])
    return record(replace(steps, learning_rate=rate), accuracy=accuracy)


def test_schedule_that_ends_before_the_run_is_a_warning() -> None:
    (finding,) = found(scheduled(np.geomspace(1.0, 1e-6, NUM_STEPS)), "learning-rate-starved")
    assert finding.severity == "warning"
    assert finding.evidence["schedule_decay_in_first_half"] == pytest.approx(1e3, rel=0.1)
    assert "schedule" in finding.advice


def test_schedule_that_decays_to_zero_is_a_warning() -> None:
    """Cosine decay over 40 % of the steps, after which Keras keeps the rate at exactly 0."""
    cosine = 0.5 * (1 + np.cos(np.minimum(np.linspace(0, 2.5 * np.pi, NUM_STEPS), np.pi)))
    (finding,) = found(scheduled(cosine), "learning-rate-starved")
    assert finding.severity == "warning"
    assert finding.evidence["schedule_decay_in_first_half"] == np.inf
    assert "decayed to 0 and" in finding.explanation


def test_schedule_that_ends_with_the_run_is_no_finding() -> None:
    cosine = 0.5 * (1 + np.cos(np.linspace(0, np.pi, NUM_STEPS)))
    assert found(scheduled(cosine), "learning-rate-starved") == []


def test_constant_or_unknown_rate_is_no_finding() -> None:
    for rate in (0.1, 0.0, np.nan):
        assert found(scheduled(np.full(NUM_STEPS, rate)), "learning-rate-starved") == []
