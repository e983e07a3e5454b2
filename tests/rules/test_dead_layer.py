from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import LOST, NUM_STEPS, answer, block, facts, found, record, response


def answers(dead: float, accuracy: float) -> list[object]:
    layers = [answer("dense_0", dead_units=dead), answer("dense_1"), answer("dense_2")]
    return [response(0, LOST), response(NUM_STEPS, accuracy, layers=layers)]


@pytest.mark.parametrize(
    ("dead", "accuracy", "severity"),
    [(1.0, LOST, "error"), (1.0, 0.5, "warning"), (1.0, 0.9, "info"), (0.8, LOST, "warning"),
     (0.8, 0.9, "info")],
)  # fmt: skip
def test_dead_units(dead: float, accuracy: float, severity: str) -> None:
    (finding,) = found(record(responses=answers(dead, accuracy)), "dead-layer")
    assert (finding.severity, finding.layers) == (severity, ("dense_0",))
    assert finding.first_step == NUM_STEPS


def test_half_of_the_units_is_usual() -> None:
    assert found(record(responses=answers(0.5, LOST)), "dead-layer") == []


def test_only_rectifiers_die() -> None:
    run = record(known=facts(activation="tanh"), responses=answers(1.0, LOST))
    assert found(run, "dead-layer") == []


def test_without_a_batch_the_gradient_tells() -> None:
    steps = block(gradient=[0.0, 0.1, 0.1], loss=np.ones(NUM_STEPS))
    (finding,) = found(record(steps, responses=[]), "dead-layer")
    assert (finding.severity, finding.layers) == ("error", ("dense_0",))
