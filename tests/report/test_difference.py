from __future__ import annotations

from dataclasses import replace

import numpy as np

from keras_l4.report.difference import describe_difference
from keras_l4.report.evaluated_run import EvaluatedRun
from tests.report.conftest import Write
from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, model_metadata


def gradients() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.2, (NUM_STEPS, 3))


def report(write: Write, *runs: dict[str, object]) -> str:
    evaluated = [EvaluatedRun.read(write(f"run{i}", **run)) for i, run in enumerate(runs)]
    return describe_difference(*evaluated)


def test_equal_runs_have_no_difference(write: Write) -> None:
    assert "of all 3 layers are equal at 200 steps" in report(write, {}, {})


def test_first_difference_names_step_and_layer(write: Write) -> None:
    other = gradients()
    other[50:, 2] *= 1.001
    other[80:, 1] *= 2
    text = report(write, {"gradient": gradients()}, {"gradient": other})
    assert "First difference: dense_2 at step 51" in text
    assert "First difference above 1%: dense_1 at step 81" in text


def test_nan_is_a_significant_difference(write: Write) -> None:
    other = gradients()
    other[10, 0] = np.nan
    text = report(write, {"gradient": gradients()}, {"gradient": other})
    assert "First difference above 1%: dense_0 at step 11" in text


def test_settings_final_values_and_findings_are_compared(write: Write) -> None:
    metadata = replace(model_metadata(), hyperparameters={"learning_rate": 0.5}, batch_size=64)
    loss = np.geomspace(1.0, 50.0, NUM_STEPS)
    text = report(write, {}, {"metadata": metadata, "loss": loss, "accuracy": CONSTANT_ACCURACY})
    assert "optimizer.learning_rate: 0.1 in A, 0.5 in B" in text
    assert "batch_size: 32 in A, 64 in B" in text
    assert "only in B: error learning-rate-too-high" in text
    accuracy = next(line for line in text.splitlines() if line.startswith("accuracy"))
    assert accuracy.split() == ["accuracy", "0.9", "0.33333"]
