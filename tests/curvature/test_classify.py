from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from scipy.optimize import minimize

from keras_l4 import surfaces
from keras_l4.curvature import classify
from keras_l4.curvature._lanczos import solve
from keras_l4.curvature._noise import gradient_noise_scale
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian
from tests.curvature.models import compiled, data_for


def line(loss: str = "mse") -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False)])
    model.compile("sgd", loss=loss)
    return model


def test_the_noise_scale_is_that_of_the_examples() -> None:
    """By the spread of half batches, and the gradients of a linear model, which are known."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)), rng.normal(size=(64, 1))
    model = line()
    model.set_weights([np.full((3, 1), 0.5)])
    each = 2 * x * (x @ np.full((3, 1), 0.5) - y)
    halves, whole = each.reshape(8, 8, 3).mean(axis=1), each.mean(axis=0)
    noise = 8 * halves.var(axis=0, ddof=1).sum()
    signal = whole @ whole - noise / 64

    objective = Objective(model, x, y, batch_size=64)
    estimate = gradient_noise_scale(objective, objective.gradient()[1], batch_size=16)
    assert estimate == pytest.approx(noise / signal, rel=1e-4)


def test_noise_that_drowns_the_gradient_is_told() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 3))
    y = x @ [[1.0], [2.0], [3.0]] + 10 * rng.normal(size=(512, 1))
    model = line()
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    model.set_weights([best + 0.1])

    place = classify(model, x, y, training_batch_size=32)
    assert place.kind == "noise-limited"
    assert place.noise_scale > 32
    model.set_weights([best + 100.0])
    assert classify(model, x, y, training_batch_size=32).kind == "descending"
    model.set_weights([best])
    assert classify(model, x, y, training_batch_size=32).kind == "minimum"


def test_dead_units_make_a_flat_region() -> None:
    stack = [keras.Input((3,)), layers.Dense(4, activation="relu"), Head()]
    model = compiled(stack, loss="mse")
    model.set_weights([model.get_weights()[0], np.full(4, -200.0)])

    place = classify(model, np.ones((8, 3)), np.ones((8, 1)))
    assert place.kind == "flat region"
    assert set(place.changes.values()) == {0.0}


class Head(layers.Layer):
    """Has nothing to learn."""

    def call(self, x: Any) -> Any:
        return keras.ops.sum(x, axis=-1, keepdims=True)


def test_equal_weights_are_a_saddle_of_a_network() -> None:
    # At zero the two layers of a linear network pass no gradient to each other.
    stack = [layers.Dense(2, use_bias=False), layers.Dense(1, use_bias=False)]
    model = compiled([keras.Input((3,)), *stack], loss="mse")
    model.set_weights([np.zeros((3, 2)), np.zeros((2, 1))])
    x = np.random.default_rng(0).normal(size=(16, 3))

    place = classify(model, x, x @ [[1.0], [2.0], [3.0]])
    assert place.kind == "saddle"
    assert place.largest == pytest.approx(-place.smallest, rel=1e-4)
    assert max(place.changes.values()) < 0
    assert "saddle: loss" in str(place)


def test_the_sharpest_direction_grows_beyond_the_edge() -> None:
    """Gradient descent with all the data, from a converged point disturbed along v_max."""
    stack = [keras.Input((6,)), layers.Dense(4, activation="tanh"), layers.Dense(3)]
    model = compiled(stack, loss="mse")
    x, labels = data_for(model)
    objective = Objective(model, x, np.eye(3)[labels], batch_size=20)
    rest = minimize(objective.gradient, objective.weights, jac=True).x
    parts = np.split(rest, np.cumsum([w.size for w in model.get_weights()])[:-1])
    shapes = [w.shape for w in model.get_weights()]
    model.set_weights([part.reshape(s) for part, s in zip(parts, shapes, strict=True)])
    objective = Objective(model, x, np.eye(3)[labels], batch_size=20)
    found = solve(hessian(objective))
    sharpest, edge = found.vectors[:, -1], 2 / found.values[-1]

    for share, grows in ((0.9, False), (1.1, True)):
        at = rest + 1e-3 * sharpest
        for _ in range(20):
            at = at - share * edge * objective.gradient(at)[1]
        assert (abs((at - rest) @ sharpest) > 1e-3) == grows


def test_degenerate_minima_are_told_from_flat_regions() -> None:
    surface = surfaces.quartic_plateau()
    place = classify(surface.model("sgd", start=(0.0, 0.0)), *surface.data())
    assert place.kind == "degenerate"
    assert min(place.changes.values()) > 0
