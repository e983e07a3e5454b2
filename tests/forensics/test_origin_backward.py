"""Origins in the backward pass, and the gradients of a traced step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_l4.forensics.origin import Origin, find_origin
from tests.forensics import faulty
from tests.forensics.faulty import ARCHITECTURES, FEATURES
from tests.forensics.steps import ROWS, TARGETS, dense, inputs_of, origin_of


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_root_at_zero_has_an_infinite_derivative(architecture: str) -> None:
    stack = [dense(4), faulty.Root(name="root"), layers.Activation("linear"), dense()]
    origin = origin_of(faulty.build(stack, architecture), inputs_of(0.0), TARGETS + 1)
    assert (origin.phase, origin.operation) == ("backward", "sqrt")
    assert origin.cause == "sqrt at 0 has an infinite derivative"
    assert origin.layer.rpartition("/")[2] == "root"


def test_nan_in_the_derivative_of_a_discarded_branch_of_where_is_found(backend: str) -> None:
    model = faulty.build([dense(4), faulty.GuardedRoot(name="root"), dense()])
    if backend == "tensorflow":
        # Eagerly, TensorFlow computes 0 instead of 0 / 0 in this derivative.
        assert find_origin(model, inputs_of(0.0), TARGETS + 1)[0] is None
        return
    origin = origin_of(model, inputs_of(0.0), TARGETS + 1)
    cause = "0 x Inf: sqrt at 0 has an infinite derivative"
    assert origin == Origin("backward", "sequential/root", "sqrt", cause)


def test_overflow_in_a_discarded_branch_of_where_is_found() -> None:
    origin = origin_of(
        faulty.build([dense(4), faulty.GuardedExp(name="exp"), dense()]), inputs_of(100.0), TARGETS
    )
    assert (origin.phase, origin.layer, origin.operation) == ("backward", "sequential/exp", "exp")
    assert origin.cause.startswith("0 x Inf: exp of 400 overflows float32 (limit 88.7)")


def test_overflow_of_the_scaled_loss_names_the_scale() -> None:
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), initial_scale=2.0**15)
    keras.config.set_dtype_policy("mixed_float16")
    model = faulty.build([dense(4, name="first"), dense()], optimizer=optimizer)
    origin = origin_of(model, inputs_of(), TARGETS - 100)
    assert origin.phase == "backward"
    assert origin.cause.startswith("float16: ")
    assert "> 65504" in origin.cause
    assert origin.cause.endswith(", with the loss scaled by 3.28e4")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_custom_gradient_is_attributed_to_its_layer(architecture: str) -> None:
    stack = [dense(4), faulty.WrongGradient(name="wrong"), dense(4), dense()]
    origin = origin_of(faulty.build(stack, architecture), inputs_of(), TARGETS)
    assert origin.phase == "backward"
    assert origin.layer.rpartition("/")[2] == "wrong"
    assert origin.cause.startswith("multiply with a constant NaN")


def test_rematerialized_layer_is_named() -> None:
    class Rematerialized(layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.remat(faulty.Root(name="inner").call)(x)

    origin = origin_of(
        faulty.build([dense(4), Rematerialized(name="remat"), dense()]), inputs_of(0.0), TARGETS + 1
    )
    assert (origin.phase, origin.layer, origin.operation) == (
        "backward",
        "sequential/remat",
        "sqrt",
    )


def test_returned_gradients_are_without_the_loss_scale() -> None:
    model = faulty.build([dense(use_bias=False)])
    _, plain = find_origin(model, inputs_of(), TARGETS)
    model.compile(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), initial_scale=8.0), "mse"
    )
    _, scaled = find_origin(model, inputs_of(), TARGETS)
    assert plain.loss == scaled.loss == 16
    assert plain.gradients[0] is not None
    assert scaled.gradients[0] is not None
    np.testing.assert_array_equal(plain.gradients[0], np.full((FEATURES, 1), 8.0))
    np.testing.assert_array_equal(scaled.gradients[0], plain.gradients[0])


def test_dropout_masks_are_those_of_the_real_step() -> None:
    def model() -> Any:
        keras.utils.set_random_seed(1)
        return faulty.build([layers.Dropout(0.5, seed=7), dense(use_bias=False)], run_eagerly=True)

    traced, trained = model(), model()
    _, (loss, gradients, _) = find_origin(traced, inputs_of(), TARGETS)
    before = np.array(ops.convert_to_numpy(trained.trainable_variables[0].value))
    log = trained.fit(inputs_of(), TARGETS, batch_size=ROWS, shuffle=False, verbose=0)
    after = np.array(ops.convert_to_numpy(trained.trainable_variables[0].value))
    assert gradients[0] is not None
    assert log.history["loss"][0] == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose((before - after) / 0.01, gradients[0], rtol=1e-3)
