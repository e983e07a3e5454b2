from __future__ import annotations

from dataclasses import replace

import numpy as np

from keras_l4.report.difference import difference
from keras_l4.report.judged import EvaluatedRun
from tests.report.conftest import Write
from tests.rules.records import LOST, NUM_STEPS, facts


def gradients() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.2, (NUM_STEPS, 3))


def told(write: Write, *runs: dict[str, object]) -> str:
    judged = [EvaluatedRun.read(write(f"run{i}", **run)) for i, run in enumerate(runs)]
    return difference(*judged)


def test_runs_that_are_equal(write: Write) -> None:
    assert "of all 3 layers are equal at 200 steps" in told(write, {}, {})


def test_the_first_step_and_layer_where_they_part(write: Write) -> None:
    other = gradients()
    other[50:, 2] *= 1.001
    other[80:, 1] *= 2
    text = told(write, {"gradient": gradients()}, {"gradient": other})
    assert "The first to differ at all: dense_2 at step 51" in text
    assert "The first to differ by 1%: dense_1 at step 81" in text


def test_nan_is_a_parting_of_the_ways(write: Write) -> None:
    other = gradients()
    other[10, 0] = np.nan
    text = told(write, {"gradient": gradients()}, {"gradient": other})
    assert "The first to differ by 1%: dense_0 at step 11" in text


def test_settings_ends_and_findings(write: Write) -> None:
    known = replace(facts(), hyperparameters={"learning_rate": 0.5}, batch_size=64)
    loss = np.geomspace(1.0, 50.0, NUM_STEPS)
    text = told(write, {}, {"known": known, "loss": loss, "accuracy": LOST})
    assert "optimizer.learning_rate: 0.1 in A, 0.5 in B" in text
    assert "batch_size: 32 in A, 64 in B" in text
    assert "only in B: error learning-rate-too-high" in text
    accuracy = next(line for line in text.splitlines() if line.startswith("accuracy"))
    assert accuracy.split() == ["accuracy", "0.9", "0.33333"]
