from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.quantities import EVERY_STEP, Normed, _base, registry
from keras_l4.recorder.step import Step
from tests.optimizers.reference import clip_by_norm
from tests.quantities.twins import TWINS, Truth, layer_of
from tests.recorder.recorded import Weights, fit

NUM_STEPS, BATCH = 8, 16
NUM_INPUTS, NUM_HIDDEN, NUM_OUTPUTS = 6, 5, 3


def test_every_quantity_has_a_definition() -> None:
    assert set(TWINS) == {name for name in registry() if not name.startswith("_")}


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((NUM_STEPS * BATCH, NUM_INPUTS)).astype("float32")
    x[:, 2] = 0
    return x, rng.standard_normal((len(x), NUM_OUTPUTS)).astype("float32")


def linear_model() -> keras.Model:
    layers = [keras.layers.Dense(NUM_HIDDEN, name="one"), keras.layers.Dense(NUM_OUTPUTS)]
    model = keras.Sequential([keras.Input((NUM_INPUTS,)), *layers])
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, clipnorm=0.5, weight_decay=0.01)
    model.compile(optimizer, "mse")
    return model


def gradients_of(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Of the mean squared error, in closed form."""
    w1, b1, w2, b2 = weights
    w1, w2 = w1.reshape(NUM_INPUTS, NUM_HIDDEN), w2.reshape(NUM_HIDDEN, NUM_OUTPUTS)
    hidden = x @ w1 + b1
    error = 2 * (hidden @ w2 + b2 - y) / y.size
    back = error @ w2.T
    return [(x.T @ back).ravel(), back.sum(0), (hidden.T @ error).ravel(), error.sum(0)]


def truths_of(history: list[list[np.ndarray]], step: int) -> list[Truth]:
    rows = slice(step * BATCH, (step + 1) * BATCH)
    x, y = (array[rows].astype(float) for array in data())
    before, after = history[step : step + 2]
    gradients = gradients_of(before, x, y)
    consumed = clip_by_norm(0.5)(gradients)
    columns = zip(gradients, consumed, before, after, strict=True)
    return [_truth(*column) for column in columns]


def _truth(gradient: np.ndarray, *others: np.ndarray) -> Truth:
    n = gradient.size
    rates, undominated = np.full(n, 0.05), np.zeros(n, bool)
    return Truth(gradient, *others, rates, rates[:1], np.array([n]), undominated)


@pytest.mark.parametrize("every", [1, 3])
def test_a_linear_model(every: int) -> None:
    weights = Weights()
    x, y = data()
    block = fit(linear_model(), x, y, batch_size=BATCH, every=every, callbacks=[weights])
    assert [v.path.rpartition("/")[2] for v in block.variables] == ["kernel", "bias"] * 2
    truths = [truths_of(weights.history, step) for step in range(NUM_STEPS)]
    layers = [[layer_of(row[:2]), layer_of(row[2:])] for row in truths]
    assert list(np.flatnonzero(block.sampled)) == list(range(0, NUM_STEPS, every))
    for name, twin in TWINS.items():
        rows = block.rows(name)
        want = [[twin(v) for v in truths[row]] for row in rows]
        np.testing.assert_allclose(block.values[name], want, rtol=1e-5, err_msg=name)
        want = [[twin(v) for v in layers[row]] for row in rows]
        np.testing.assert_allclose(block.series(name).values, want, rtol=1e-5, err_msg=name)


def test_a_norm_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_base, "_registry", dict(registry()))

    class Halved(Normed):
        """Of the gradients, halved."""

        name, unit, when, pool = "halved", "unit of loss", EVERY_STEP, "norm"

        def tensors(self, step: Step) -> Sequence[Any]:
            return [g / 2 for g in step.gradients]

    asked = ("halved", "gradient_norm", "weight_norm")
    block = fit(linear_model(), *data(), batch_size=BATCH, every=3, quantities=asked)
    halved, whole = block.values["halved"], block.values["gradient_norm"]
    assert halved.shape == (NUM_STEPS, len(block.variables))
    np.testing.assert_allclose(halved, whole / 2, rtol=1e-6)


def test_weights_are_not_held_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_base, "_registry", dict(registry()))

    class Moved(Normed):
        """Of the updates."""

        name, unit, when, pool = "moved", "unit of weight", EVERY_STEP, "norm"

        def tensors(self, step: Step) -> Sequence[Any]:
            return step.updates

    with pytest.raises(RuntimeError, match="give it when = SAMPLED"):
        fit(linear_model(), *data(), batch_size=BATCH, every=3, quantities=("moved",))
    # Where the rate is that of the updates, they are at hand.
    model = linear_model()
    model.compile(keras.optimizers.Lion(0.01), "mse")
    block = fit(model, *data(), batch_size=BATCH, every=3, quantities=("moved",))
    assert (block.values["moved"] > 0).all()
