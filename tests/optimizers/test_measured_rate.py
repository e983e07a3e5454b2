from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.optimizers import Adam
from tests.quantities.numpy_reference import norm
from tests.recorder.harness import WeightHistory, prescribed_model, train

SIZES = [6, 3, 5]
DISTRIBUTION = {"effective_learning_rate_p50", "effective_learning_rate_min", "second_moment"}


class HalvedAdam(keras.optimizers.Adam):
    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient / 2, variable, learning_rate)


class RenamedAdam(keras.optimizers.Adam):
    pass


def gradients() -> list[np.ndarray]:
    """Draws gradients `[steps, elements]` per layer; those of the second are zero at two steps."""
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((12, n)).astype("float32") for n in (9, 5))
    b[[0, 5]] = 0
    return [a, b]


def by_variable(x: list[np.ndarray]) -> list[list[np.ndarray]]:
    return [np.split(row.astype(float), [6, 9]) for row in np.concatenate(x, axis=1)]


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Lion(0.01, weight_decay=0.1),
        keras.optimizers.Ftrl(0.1),
        HalvedAdam(0.1),
    ],
    ids=lambda optimizer: optimizer.name,
)
def test_rate_without_a_closed_form_is_measured_from_the_update(optimizer: Any) -> None:
    model = prescribed_model(optimizer, {"a": [(2, 3), (3,)], "b": [(5,)]})
    x, weights = gradients(), WeightHistory()
    block = train(model, x, every=5, callbacks=[weights])
    pairs = zip(weights.updates(), by_variable(x), strict=True)
    want = [
        [norm(u) / norm(g) if g.any() else np.nan for u, g in zip(*pair, strict=True)]
        for pair in pairs
    ]
    rates = block.values["effective_learning_rate"]
    np.testing.assert_allclose(rates, want, rtol=1e-5)
    assert np.isnan(rates[[0, 5], 2]).all()
    layers = block.series("effective_learning_rate").values
    np.testing.assert_allclose(layers[:, 0], np.average(rates[:, :2], 1, SIZES[:2]), rtol=1e-5)
    assert not DISTRIBUTION & set(block.values)


@pytest.mark.parametrize("optimizer", [RenamedAdam(0.1), Adam(0.1)], ids=lambda o: o.name)
def test_subclass_with_the_same_update_step_has_the_closed_form(optimizer: Any) -> None:
    model = prescribed_model(optimizer, {"a": [(2, 3), (3,)], "b": [(5,)]})
    block = train(model, gradients(), every=5)
    first = [np.mean(g**2) / 1000 for g in by_variable(gradients())[0]]
    want = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9) / (np.sqrt(first) + 1e-7)
    np.testing.assert_allclose(block.values["effective_learning_rate"][0], want, rtol=1e-5)
