from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from scipy.optimize import minimize

from keras_l4 import surfaces
from keras_l4.curvature import classify
from keras_l4.curvature._eigenpairs import dense_eigenpairs
from keras_l4.curvature._gradient_noise import gradient_noise_scale
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian_operator
from tests.curvature.models import compiled, data_for


def linear_model(loss: str = "mse") -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False)])
    model.compile("sgd", loss=loss)
    return model


def test_noise_scale_agrees_with_the_gradients_of_the_examples() -> None:
    """Computes the spread of half batches from the gradients of a linear model, in closed form."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)), rng.normal(size=(64, 1))
    model = linear_model()
    model.set_weights([np.full((3, 1), 0.5)])
    each = 2 * x * (x @ np.full((3, 1), 0.5) - y)
    halves, whole = each.reshape(8, 8, 3).mean(axis=1), each.mean(axis=0)
    noise = 8 * halves.var(axis=0, ddof=1).sum()
    signal = whole @ whole - noise / 64

    objective = Objective(model, x, y, batch_size=64)
    estimate = gradient_noise_scale(objective, objective.gradient()[1], batch_size=16)
    assert estimate == pytest.approx(noise / signal, rel=1e-4)


def test_gradient_below_its_noise_is_noise_limited() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 3))
    y = x @ [[1.0], [2.0], [3.0]] + 10 * rng.normal(size=(512, 1))
    model = linear_model()
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    model.set_weights([best + 0.1])

    report = classify(model, x, y, training_batch_size=32)
    assert report.kind == "noise-limited"
    assert report.noise_scale > 32
    model.set_weights([best + 100.0])
    assert classify(model, x, y, training_batch_size=32).kind == "descending"
    model.set_weights([best])
    assert classify(model, x, y, training_batch_size=32).kind == "minimum"


def test_dead_units_are_a_flat_region() -> None:
    stack = [keras.Input((3,)), layers.Dense(4, activation="relu"), Head()]
    model = compiled(stack, loss="mse")
    model.set_weights([model.get_weights()[0], np.full(4, -200.0)])

    report = classify(model, np.ones((8, 3)), np.ones((8, 1)))
    assert report.kind == "flat region"
    assert set(report.changes.values()) == {0.0}


class Head(layers.Layer):
    """A layer without weights."""

    def call(self, x: Any) -> Any:
        return keras.ops.sum(x, axis=-1, keepdims=True)


def test_zero_weights_are_a_saddle_of_a_linear_network() -> None:
    # At zero, the gradient of each layer is a multiple of the other layer's weights.
    stack = [layers.Dense(2, use_bias=False), layers.Dense(1, use_bias=False)]
    model = compiled([keras.Input((3,)), *stack], loss="mse")
    model.set_weights([np.zeros((3, 2)), np.zeros((2, 1))])
    x = np.random.default_rng(0).normal(size=(16, 3))

    report = classify(model, x, x @ [[1.0], [2.0], [3.0]])
    assert report.kind == "saddle"
    assert report.largest == pytest.approx(-report.smallest, rel=1e-4)
    assert max(report.changes.values()) < 0
    assert "saddle: loss" in str(report)


def test_gradient_descent_diverges_along_v_max_beyond_the_edge_of_stability() -> None:
    """Descends with all data from a minimum that is displaced along v_max."""
    stack = [keras.Input((6,)), layers.Dense(4, activation="tanh"), layers.Dense(3)]
    model = compiled(stack, loss="mse")
    x, labels = data_for(model)
    objective = Objective(model, x, np.eye(3)[labels], batch_size=20)
    minimum = minimize(objective.gradient, objective.weights, jac=True).x
    parts = np.split(minimum, np.cumsum([w.size for w in model.get_weights()])[:-1])
    shapes = [w.shape for w in model.get_weights()]
    model.set_weights([part.reshape(s) for part, s in zip(parts, shapes, strict=True)])
    objective = Objective(model, x, np.eye(3)[labels], batch_size=20)
    pairs = dense_eigenpairs(hessian_operator(objective))
    sharpest, edge = pairs.vectors[:, -1], 2 / pairs.values[-1]

    for share, diverges in ((0.9, False), (1.1, True)):
        at = minimum + 1e-3 * sharpest
        for _ in range(20):
            at = at - share * edge * objective.gradient(at)[1]
        assert (abs((at - minimum) @ sharpest) > 1e-3) == diverges


def test_degenerate_minimum_is_not_a_flat_region() -> None:
    surface = surfaces.quartic_plateau()
    report = classify(surface.model("sgd", start=(0.0, 0.0)), *surface.data())
    assert report.kind == "degenerate"
    assert min(report.changes.values()) > 0
