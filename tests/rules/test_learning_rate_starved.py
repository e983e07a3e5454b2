from __future__ import annotations

import numpy as np

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
