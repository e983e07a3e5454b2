from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from keras_l4.records.annotations import AbortedStep, EpochLogs
from tests.rules.records import NUM_STEPS, block, found, inputs, model_metadata, record, variables


def test_first_step_and_variable_are_named() -> None:
    gradient = np.full((NUM_STEPS, 3), 0.1)
    gradient[50:, 1:] = np.nan
    (finding,) = found(record(block(gradient=gradient)), "nonfinite")

    assert (finding.severity, finding.first_step, finding.last_step) == ("error", 51, NUM_STEPS)
    assert finding.layers == ("dense_1", "dense_2")
    assert finding.evidence["variable"] == "dense_1/kernel"
    assert finding.evidence["variables_at_first_step"] == 4


def test_nan_in_the_data_is_named_as_the_cause() -> None:
    run = record(block(gradient=np.nan), model_metadata(inputs=inputs(num_nonfinite=2)))
    (finding,) = found(run, "nonfinite")
    assert "The training data contains" in finding.explanation


def test_steps_skipped_by_loss_scaling_are_ignored() -> None:
    gradient = np.full((NUM_STEPS, 3), 0.1)
    gradient[5] = np.inf
    steps = replace(block(gradient=gradient), skipped=np.arange(NUM_STEPS) == 5)
    assert found(record(steps), "nonfinite") == []


def test_overflowing_norm_is_a_warning() -> None:
    gradient = np.full((NUM_STEPS, 3), 0.1)
    gradient[5] = np.inf
    steps = block(gradient=gradient)
    zeros = np.zeros((NUM_STEPS, len(variables(3))), int)
    steps = replace(steps, values={**steps.values, "inf_count": zeros})
    (finding,) = found(record(steps), "nonfinite")
    assert (finding.severity, finding.title) == ("warning", "A gradient norm overflows float32")


def test_aborted_step_is_an_error() -> None:
    run = record(annotations=[AbortedStep(NUM_STEPS, "input should be between 0 and 1")])
    (finding,) = found(run, "nonfinite")
    assert (finding.severity, finding.first_step) == ("error", NUM_STEPS + 1)
    assert "input should be between 0 and 1. All gradients before" in finding.explanation


def lost() -> Any:
    steps = replace(block(), epochs=np.zeros(NUM_STEPS, int))
    steps.loss[70:] = np.nan
    return record(steps, EpochLogs(step=NUM_STEPS, epoch=0, logs={"loss": np.nan}))


def test_nan_loss_with_finite_gradients_is_an_error() -> None:
    (finding,) = found(lost(), "nonfinite")
    assert finding.title == "The loss is NaN or Inf, but every gradient is finite"
    assert (finding.severity, finding.first_step, finding.last_step) == ("error", 71, NUM_STEPS)
    assert json.loads(json.dumps(finding.evidence)) == {"epoch": 0, "loss": "nan"}


def test_nan_loss_of_an_epoch_with_skipped_steps_is_no_finding() -> None:
    run = lost()
    skipped = replace(run.block, skipped=np.arange(NUM_STEPS) == 80)
    assert found(replace(run, block=skipped), "nonfinite") == []


def test_finite_run_is_no_finding() -> None:
    assert found(record(), "nonfinite") == []
