"""Births in the backward pass, and gradients, on each backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_l4.forensics.step_trace import Origin, birth
from tests.forensics import sick
from tests.forensics.sick import ARCHITECTURES, FEATURES
from tests.forensics.steps import ROWS, Y, dense, find, x


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_root_at_zero_has_no_derivative(kind: str) -> None:
    stack = [dense(4), sick.Root(name="root"), layers.Activation("linear"), dense()]
    found = find(sick.model(stack, kind), x(0.0), Y + 1)
    assert (found.phase, found.operation) == ("backward", "sqrt")
    assert found.cause == "sqrt at 0 has an infinite derivative"
    assert found.layer.rpartition("/")[2] == "root"


def test_the_trap_of_where(backend: str) -> None:
    network = sick.model([dense(4), sick.GuardedRoot(name="root"), dense()])
    if backend == "tensorflow":
        # Not compiled, TensorFlow takes 0 for 0 / 0 in this derivative.
        assert birth(network, x(0.0), Y + 1)[0] is None
        return
    found = find(network, x(0.0), Y + 1)
    cause = "0 x Inf: sqrt at 0 has an infinite derivative"
    assert found == Origin("backward", "sequential/root", "sqrt", cause)


def test_the_trap_of_where_over_an_overflow() -> None:
    found = find(sick.model([dense(4), sick.GuardedExp(name="exp"), dense()]), x(100.0), Y)
    assert (found.phase, found.layer, found.operation) == ("backward", "sequential/exp", "exp")
    assert found.cause.startswith("0 x Inf: exp of 400 overflows float32 (limit 88.7)")


def test_loss_scale_overflows() -> None:
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), initial_scale=2.0**15)
    keras.config.set_dtype_policy("mixed_float16")
    network = sick.model([dense(4, name="first"), dense()], optimizer=optimizer)
    found = find(network, x(), Y - 100)
    assert found.phase == "backward"
    assert found.cause.startswith("float16: ")
    assert "> 65504" in found.cause
    assert found.cause.endswith(", with the loss scaled by 3.28e4")


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_custom_gradient(kind: str) -> None:
    stack = [dense(4), sick.WrongGradient(name="wrong"), dense(4), dense()]
    found = find(sick.model(stack, kind), x(), Y)
    assert found.phase == "backward"
    assert found.layer.rpartition("/")[2] == "wrong"
    assert found.cause.startswith("multiply with a constant NaN")


def test_derivatives_of_what_is_run_again() -> None:
    class Again(layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.remat(sick.Root(name="inner").call)(x)

    found = find(sick.model([dense(4), Again(name="again"), dense()]), x(0.0), Y + 1)
    assert (found.phase, found.layer, found.operation) == ("backward", "sequential/again", "sqrt")


def test_gradients_are_those_of_the_unscaled_loss() -> None:
    network = sick.model([dense(use_bias=False)])
    _, plain = birth(network, x(), Y)
    network.compile(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), initial_scale=8.0), "mse"
    )
    _, scaled = birth(network, x(), Y)
    assert plain.loss == scaled.loss == 16
    assert plain.gradients[0] is not None
    assert scaled.gradients[0] is not None
    np.testing.assert_array_equal(plain.gradients[0], np.full((FEATURES, 1), 8.0))
    np.testing.assert_array_equal(scaled.gradients[0], plain.gradients[0])


def test_masks_of_dropout_are_those_of_the_step() -> None:
    def network() -> Any:
        keras.utils.set_random_seed(1)
        return sick.model([layers.Dropout(0.5, seed=7), dense(use_bias=False)], run_eagerly=True)

    traced, trained = network(), network()
    _, (loss, gradients, _) = birth(traced, x(), Y)
    before = np.array(ops.convert_to_numpy(trained.trainable_variables[0].value))
    log = trained.fit(x(), Y, batch_size=ROWS, shuffle=False, verbose=0)
    after = np.array(ops.convert_to_numpy(trained.trainable_variables[0].value))
    assert gradients[0] is not None
    assert log.history["loss"][0] == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose((before - after) / 0.01, gradients[0], rtol=1e-3)
