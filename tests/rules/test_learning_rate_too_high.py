from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, block, found, record


def test_rising_loss_is_an_error() -> None:
    steps = block(loss=np.geomspace(1.0, 50.0, NUM_STEPS))
    (finding,) = found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-too-high")
    assert (finding.severity, finding.title) == ("error", "The loss diverges")
    assert finding.evidence["loss_at_end"] > 20


def test_short_rise_that_ends_in_nan_is_an_error() -> None:
    loss = np.where(np.arange(NUM_STEPS) < 4, 10.0 ** np.arange(NUM_STEPS).clip(0, 4), np.nan)
    gradient = np.where(np.arange(NUM_STEPS)[:, None] < 4, 1.0, np.nan)
    (finding,) = found(record(block(loss=loss, gradient=gradient)), "learning-rate-too-high")
    assert "then became NaN" in finding.explanation


def test_long_path_without_progress_is_a_warning() -> None:
    steps = block(ratio=0.2, loss=np.ones(NUM_STEPS))
    (finding,) = found(record(steps, accuracy=0.5), "learning-rate-too-high")
    assert finding.severity == "warning"
    assert 39 < finding.evidence["weight_path_length"] < 41
    assert finding.evidence["expected_below"] == 20
    assert "times their norm over the run, while in its second half" in finding.explanation


def test_unskilled_model_is_reported_with_its_lower_limit() -> None:
    steps = block(ratio=0.05, loss=np.ones(NUM_STEPS))
    (finding,) = found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-too-high")
    assert finding.evidence["expected_below"] == 6
    assert 6 < finding.evidence["weight_path_length"] < 20
    assert found(record(steps, accuracy=0.5), "learning-rate-too-high") == []


def test_shrinking_weights_are_measured_by_their_initial_norm() -> None:
    """Relative to a norm near 0, each step would count as a long one."""
    shrunk = np.geomspace(1.0, 0.01, NUM_STEPS)[:, None]
    steps = block(weight=shrunk, ratio=0.01 / shrunk, loss=np.ones(NUM_STEPS))
    assert found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-too-high") == []


def test_bias_matrix_of_a_gru_is_no_kernel() -> None:
    """It has two rows, and is initialized with 0."""
    steps = block(ratio=0.2, loss=np.ones(NUM_STEPS))
    biases = [replace(v, path=f"{v.layer}/bias", shape=(2, 24)) for v in steps.variables]
    run = record(replace(steps, variables=tuple(biases)), accuracy=CONSTANT_ACCURACY)
    assert found(run, "learning-rate-too-high") == []


def test_long_path_with_progress_is_no_finding() -> None:
    assert found(record(block(ratio=0.2), accuracy=0.5), "learning-rate-too-high") == []
    flat = block(ratio=0.2, loss=np.ones(NUM_STEPS))
    assert found(record(flat, accuracy=0.95), "learning-rate-too-high") == []


def test_low_loss_of_the_first_batch_is_no_finding() -> None:
    loss = np.append(0.01, np.full(NUM_STEPS - 1, 0.5))
    assert found(record(block(loss=loss)), "learning-rate-too-high") == []
