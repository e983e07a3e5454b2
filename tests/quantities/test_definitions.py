from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.quantities import EVERY_STEP, NormQuantity, StepContext, registry
from tests.optimizers.reference import clip_by_norm
from tests.quantities.numpy_reference import REFERENCES, ReferenceStep, concatenate_variables
from tests.recorder.harness import WeightHistory, fit

NUM_STEPS, BATCH = 8, 16
NUM_INPUTS, NUM_HIDDEN, NUM_OUTPUTS = 6, 5, 3


def test_every_quantity_has_a_reference_definition() -> None:
    assert set(REFERENCES) == {name for name in registry if not name.startswith("_")}


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
    """Returns the gradients of the mean squared error, in closed form."""
    w1, b1, w2, b2 = weights
    w1, w2 = w1.reshape(NUM_INPUTS, NUM_HIDDEN), w2.reshape(NUM_HIDDEN, NUM_OUTPUTS)
    hidden = x @ w1 + b1
    error = 2 * (hidden @ w2 + b2 - y) / y.size
    back = error @ w2.T
    return [(x.T @ back).ravel(), back.sum(0), (hidden.T @ error).ravel(), error.sum(0)]


def reference_steps(history: list[list[np.ndarray]], step: int) -> list[ReferenceStep]:
    rows = slice(step * BATCH, (step + 1) * BATCH)
    x, y = (array[rows].astype(float) for array in data())
    before, after = history[step : step + 2]
    gradients = gradients_of(before, x, y)
    clipped = clip_by_norm(0.5)(gradients)
    columns = zip(gradients, clipped, before, after, strict=True)
    return [_reference_step(*column) for column in columns]


def _reference_step(gradient: np.ndarray, *others: np.ndarray) -> ReferenceStep:
    n = gradient.size
    rates, is_dominated = np.full(n, 0.05), np.zeros(n, bool)
    return ReferenceStep(gradient, *others, rates, rates[:1], np.array([n]), is_dominated)


@pytest.mark.parametrize("every", [1, 3])
def test_quantities_of_a_linear_model_equal_their_definitions(every: int) -> None:
    weights = WeightHistory()
    x, y = data()
    block = fit(linear_model(), x, y, batch_size=BATCH, every=every, callbacks=[weights])
    assert [v.path.rpartition("/")[2] for v in block.variables] == ["kernel", "bias"] * 2
    expected = [reference_steps(weights.history, step) for step in range(NUM_STEPS)]
    layers = [[concatenate_variables(row[:2]), concatenate_variables(row[2:])] for row in expected]
    assert list(np.flatnonzero(block.sampled)) == list(range(0, NUM_STEPS, every))
    for name, definition in REFERENCES.items():
        rows = block.rows(name)
        want = [[definition(v) for v in expected[row]] for row in rows]
        np.testing.assert_allclose(block.values[name], want, rtol=1e-5, err_msg=name)
        want = [[definition(v) for v in layers[row]] for row in rows]
        np.testing.assert_allclose(block.series(name).values, want, rtol=1e-5, err_msg=name)


def test_norm_quantity_can_be_measured_on_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_instances", dict(registry))

    class Halved(NormQuantity):
        """Norms of the halved gradients."""

        name, unit, when, pool = "halved", "unit of loss", EVERY_STEP, "norm"

        def tensors(self, step: StepContext) -> Sequence[Any]:
            return [g / 2 for g in step.gradients]

    names = ("halved", "gradient_norm", "weight_norm")
    block = fit(linear_model(), *data(), batch_size=BATCH, every=3, quantities=names)
    halved, norms = block.values["halved"], block.values["gradient_norm"]
    assert halved.shape == (NUM_STEPS, len(block.variables))
    np.testing.assert_allclose(halved, norms / 2, rtol=1e-6)


def test_update_cannot_be_read_on_every_step_with_a_closed_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "_instances", dict(registry))

    class Moved(NormQuantity):
        """Norms of the updates."""

        name, unit, when, pool = "moved", "unit of weight", EVERY_STEP, "norm"

        def tensors(self, step: StepContext) -> Sequence[Any]:
            return step.updates

    with pytest.raises(RuntimeError, match="give it when = SAMPLED"):
        fit(linear_model(), *data(), batch_size=BATCH, every=3, quantities=("moved",))
    # The rate of Lion is measured from the update, so that the weights are copied on every step.
    model = linear_model()
    model.compile(keras.optimizers.Lion(0.01), "mse")
    block = fit(model, *data(), batch_size=BATCH, every=3, quantities=("moved",))
    assert (block.values["moved"] > 0).all()
