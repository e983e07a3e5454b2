from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.optimizers.reference import Adam, clip_by_norm
from tests.recorder.harness import RecordedOptimizer, WeightHistory, prescribed_model, train

MICRO_STEPS = 4


@pytest.fixture(scope="module")
def micro_gradients() -> np.ndarray:
    """18 micro-steps: four updates and a half."""
    return np.random.default_rng(0).standard_normal((18, 6)).astype("float32")


def test_each_update_has_one_row_with_the_mean_over_micro_steps(
    micro_gradients: np.ndarray,
) -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    optimizer = keras.optimizers.Adam(
        schedule, gradient_accumulation_steps=MICRO_STEPS, clipnorm=0.1, weight_decay=0.1
    )
    model, weights = prescribed_model(optimizer, {"a": [(2, 3)]}), WeightHistory()
    block = train(model, [micro_gradients], every=3, callbacks=[weights])
    means = micro_gradients[:16].reshape(4, 4, 6).astype(float).mean(axis=1)

    assert list(block.steps) == [1, 2, 3, 4]
    assert list(block.iterations) == [0, 1, 2, 3]
    assert list(block.batches) == [3, 7, 11, 15]
    assert list(block.sampled) == [True, False, False, True]
    assert not block.skipped.any()
    norms = np.linalg.norm(means, axis=1)
    np.testing.assert_allclose(block.values["gradient_norm"][:, 0], norms, rtol=1e-5)
    np.testing.assert_allclose(block.values["clip_factor"][:, 0], 0.1 / norms[[0, 3]], rtol=1e-5)
    # Schedules are evaluated at the number of micro-steps.
    calls = np.array([3, 7, 11, 15])
    np.testing.assert_allclose(block.learning_rate, 0.1 * 0.5 ** (calls / 4), rtol=1e-5)
    reference = Adam(lambda calls: 0.1 * 0.5 ** (calls / 4), clip_by_norm(0.1))
    reference.build([6])
    expected = [reference.step([g], c)[0] for g, c in zip(means, calls, strict=True)]
    rates = [step.rate[0] for step in expected]
    np.testing.assert_allclose(block.values["effective_learning_rate"][:, 0], rates, rtol=1e-5)
    medians = [expected[row].quantile(0.5) for row in (0, 3)]
    measured = block.values["effective_learning_rate_p50"][:, 0]
    np.testing.assert_allclose(measured, medians, rtol=1e-5)
    updates = [np.linalg.norm(weights.updates()[call]) for call in (3, 15)]
    np.testing.assert_allclose(block.values["update_norm"][:, 0], updates, rtol=1e-5)


@pytest.mark.parametrize("micro_step", [5, 7])
def test_nan_in_a_micro_step_is_counted_with_its_batch(
    backend: str, micro_gradients: np.ndarray, micro_step: int
) -> None:
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=MICRO_STEPS)
    gradients = micro_gradients.copy()
    gradients[micro_step, [1, 2, 4]] = np.nan, np.nan, np.inf
    block = train(prescribed_model(optimizer, {"a": [(2, 3)]}), [gradients], every=100)
    # Keras on torch clears its accumulators by multiplying with 0, which leaves NaN in them.
    num_left = 3 if backend == "torch" and micro_step == 5 else 0
    assert block.values["nan_count"][:, 0].tolist() == [0, 2, num_left, num_left]
    assert block.values["inf_count"][:, 0].tolist() == [0, 1, 0, 0]
    assert list(block.sampled) == [True, True, bool(num_left), bool(num_left)]
    assert block.batches[1] == micro_step


def test_inf_that_accumulates_to_nan_is_counted_as_inf_and_nan(micro_gradients: np.ndarray) -> None:
    gradients = micro_gradients.copy()
    gradients[5, :3] = np.inf
    gradients[6, [0, 4]] = -np.inf, np.nan
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=MICRO_STEPS)
    block = train(prescribed_model(optimizer, {"a": [(2, 3)]}), [gradients[:8]], every=100)
    assert block.values["inf_count"][:, 0].tolist() == [0, 3]
    assert block.values["nan_count"][:, 0].tolist() == [0, 2]
    assert block.batches.tolist() == [3, 5]


def test_counts_of_an_earlier_update_are_not_merged(micro_gradients: np.ndarray) -> None:
    """A ring buffer of one row is overwritten by every update."""
    weights = [keras.Variable(np.zeros(6, "float32"), name="w")]
    optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=2)
    recorded = RecordedOptimizer(optimizer, weights, flush_every=1, steps_per_execution=0)
    bad = np.full(6, np.nan, "float32")
    good = micro_gradients[0]
    assert recorded.run([[bad], [good]]).values["nan_count"].tolist() == [[6]]
    for slot in optimizer._accumulated_gradients:
        slot.assign(np.zeros(6))
    assert recorded.run([[good], [good]]).values["nan_count"].tolist() == [[0]]
