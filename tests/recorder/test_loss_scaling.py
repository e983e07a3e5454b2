from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from tests.optimizers.reference import Adam
from tests.recorder.harness import fit, prescribed_model, train

SCALE = 2.0**15


def scaled(**options: Any) -> keras.optimizers.LossScaleOptimizer:
    inner = keras.optimizers.Adam(0.1, **options)
    return keras.optimizers.LossScaleOptimizer(inner, initial_scale=SCALE, dynamic_growth_steps=3)


@pytest.fixture
def gradients() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((9, 6)).astype("float32")


def test_steps_that_overflow_are_recorded_as_skipped(gradients: np.ndarray) -> None:
    gradients[[0, 4], 2] = 1e36, np.nan
    gradients[4, 3] = -1e36
    block = train(prescribed_model(scaled(), {"a": [(2, 3)]}), [gradients], every=2)

    assert list(block.steps) == list(range(1, 10))
    assert list(np.flatnonzero(block.skipped)) == [0, 4]
    assert list(block.iterations) == [0, 0, 1, 2, 3, 3, 4, 5, 6]
    halvings = [0, 1, 1, 1, 0, 1, 1, 1, 0]
    assert block.loss_scale.tolist() == [SCALE / 2**n for n in halvings]
    assert block.values["nan_count"][:, 0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert block.values["inf_count"][:, 0].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert list(np.flatnonzero(block.sampled)) == [0, 2, 4, 6, 8]

    norms = block.values["gradient_norm"][:, 0]
    applied = [1, 2, 3, 5, 6, 7, 8]
    want = np.linalg.norm(gradients[applied].astype(float), axis=1)
    np.testing.assert_allclose(norms[applied], want, rtol=1e-5)
    assert norms[0] == np.inf
    assert np.isnan(norms[4])
    assert block.values["update_norm"][[0, 2], 0].tolist() == [0, 0]


def test_skipped_steps_do_not_change_the_effective_rate(gradients: np.ndarray) -> None:
    reference = Adam(0.1)
    reference.build([6])
    applied = [0, 1, 2, 4, 5, 6, 7, 8]
    expected = {row: reference.step([gradients[row].astype(float)], row)[0] for row in applied}
    reference.t += 1
    gradients[3, 2] = np.inf
    block = train(prescribed_model(scaled(), {"a": [(2, 3)]}), [gradients], every=100)
    rates = block.values["effective_learning_rate"][:, 0]
    np.testing.assert_allclose(rates[applied], [expected[r].rate[0] for r in applied], rtol=1e-5)


def test_step_is_skipped_if_an_unrecorded_gradient_overflows(gradients: np.ndarray) -> None:
    """The recorded gradients are finite in that step."""
    reference = Adam(0.1)
    reference.build([6])
    applied = [0, 1, 2, 4, 5, 6, 7, 8]
    rates = [reference.step([gradients[row].astype(float)], row)[0].rate[0] for row in applied]
    other = np.ones((9, 2))
    other[3, 1] = np.inf
    model = prescribed_model(scaled(), {"a": [(2, 3)], "b": [(2,)]})
    block = train(model, [gradients, other], every=100, include="^a/")
    assert list(np.flatnonzero(block.skipped)) == [3]
    assert not block.values["inf_count"].any()
    got = block.values["effective_learning_rate"][applied, 0]
    np.testing.assert_allclose(got, rates, rtol=1e-5)


def test_skipped_micro_step_has_its_own_row(gradients: np.ndarray) -> None:
    gradients[2, [1, 3]] = np.nan, np.inf
    optimizer = scaled(gradient_accumulation_steps=4)
    block = train(prescribed_model(optimizer, {"a": [(2, 3)]}), [gradients], every=100)
    assert block.skipped.tolist() == [True, False, False]
    assert block.batches.tolist() == [2, 4, 8]
    assert block.values["nan_count"][:, 0].tolist() == [1, 0, 0]
    assert block.values["inf_count"][:, 0].tolist() == [1, 0, 0]
    mean = gradients[[0, 1, 3, 4]].astype(float).mean(axis=0)
    want = [np.linalg.norm(mean), np.linalg.norm(gradients[5:].astype(float).mean(axis=0))]
    np.testing.assert_allclose(block.values["gradient_norm"][1:, 0], want, rtol=1e-5)


def test_gradients_are_divided_by_a_fixed_loss_scale(gradients: np.ndarray) -> None:
    optimizer = keras.optimizers.SGD(0.1, loss_scale_factor=64.0)
    block = train(prescribed_model(optimizer, {"a": [(2, 3)]}), [gradients], every=1)
    want = np.linalg.norm(gradients.astype(float), axis=1)
    np.testing.assert_allclose(block.values["gradient_norm"][:, 0], want, rtol=1e-5)
    assert (block.loss_scale == 64).all()


@pytest.fixture
def mixed_float16() -> Iterator[None]:
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("mixed_float16")
def test_mixed_float16_gradients_are_unscaled() -> None:
    """Small integers, so that float16 holds every product: g = 2/n Xᵀ(Xw - y)."""
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (4 * 8, 3)).astype("float32")
    y = rng.integers(-2, 3, (4 * 8, 1)).astype("float32") / 8
    x[8] = 60000
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    block = fit(model, x, y, batch_size=8, every=1)
    batches = zip(x.reshape(4, 8, 3).astype(float), y.reshape(4, 8, 1), strict=True)
    want = np.array([np.linalg.norm(2 / 8 * x.T @ -y) for x, y in batches])
    assert block.skipped.tolist() == [False, True, False, False]
    assert block.values["inf_count"][1, 0] + block.values["nan_count"][1, 0] == 3
    applied = [0, 2, 3]
    np.testing.assert_allclose(block.values["gradient_norm"][applied, 0], want[applied], rtol=1e-5)
    assert block.loss_scale.tolist() == [SCALE, SCALE, SCALE / 2, SCALE / 2]
