"""Origins in the forward pass and in the loss."""

from __future__ import annotations

import importlib
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_l4.forensics.origin import Origin, find_origin
from tests.forensics import faulty
from tests.forensics.faulty import ARCHITECTURES
from tests.forensics.steps import ROWS, TARGETS, dense, inputs_of, origin_of


def test_log_of_zero_in_the_loss_is_found() -> None:
    def loss(y_true: Any, y_pred: Any) -> Any:
        return -ops.mean(ops.log(y_pred), -1)

    model = faulty.build([dense(4), dense(activation="relu")], loss=loss)
    assert origin_of(model, inputs_of(-1.0), TARGETS) == Origin(
        "loss", "", "log", "log of exactly 0"
    )


def test_origin_in_an_overridden_compute_loss_is_found() -> None:
    class CustomLoss(faulty.Subclassed):
        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
            return ops.mean((y_pred - y) / (y * 0.0))

    model = CustomLoss([dense()])
    model(inputs_of())
    model.compile("sgd")
    origin = origin_of(model, inputs_of(), TARGETS)
    assert origin == Origin("loss", "", "divide", "division by zero: 4 / 0")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("k", range(4))
def test_overflow_is_attributed_to_the_layer_in_which_it_happens(architecture: str, k: int) -> None:
    stack = [layers.Activation("linear", name=f"layer_{i}") for i in range(4)]
    stack[k] = faulty.Exp(name=f"layer_{k}")
    origin = origin_of(faulty.build([*stack, dense()], architecture), inputs_of(94.2), TARGETS)
    assert (origin.phase, origin.operation) == ("forward", "exp")
    assert origin.cause == "exp of 94.2 overflows float32 (limit 88.7)"
    assert origin.layer.rpartition("/")[2] == f"layer_{k}"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layer_path_is_the_prefix_of_its_variables(architecture: str) -> None:
    model = faulty.build([dense(4), dense(4, name="huge"), dense()], architecture)
    kernel = next(v for v in model.trainable_variables if "huge/kernel" in v.path)
    kernel.assign(np.full(kernel.shape, 3e38, "float32"))
    origin = origin_of(model, inputs_of(), TARGETS)
    assert origin.phase == "forward"
    assert origin.layer == kernel.path.removesuffix("/kernel")
    assert origin.operation == "matmul"
    assert origin.cause == "matmul of numbers up to 4 and 3e38 overflows float32 (limit 3.4e38)"


def test_zero_divided_by_zero_is_found_in_one_row() -> None:
    inputs = inputs_of()
    inputs[2] = -1
    origin = origin_of(
        faulty.build([dense(4), faulty.MaskedMean(name="mean"), dense()]), inputs, TARGETS
    )
    assert origin == Origin("forward", "sequential/mean", "divide", "0 / 0")


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_float16_overflow_names_the_exact_value_and_the_limit(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    model = faulty.build([dense(4), faulty.Scale(3e4, name="scale"), layers.ReLU(), dense()])
    origin = origin_of(model, inputs_of(), TARGETS)
    assert origin == Origin("forward", "sequential/scale", "multiply", "float16: 1.2e5 > 65504")


def test_float16_overflow_is_found_in_a_matrix_product_and_in_a_cast(backend: str) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    model = faulty.build([dense(3, name="first"), dense()])
    origin = origin_of(model, inputs_of(2e4), TARGETS)
    assert (origin.phase, origin.layer) == ("forward", "sequential/first")
    # torch multiplies matrices of float16 in float32 on the CPU.
    assert origin.operation == ("cast" if backend == "torch" else "matmul")
    assert origin.cause == "float16: 8e4 > 65504"
    origin = origin_of(model, inputs_of(7.1e4), TARGETS)
    assert (origin.phase, origin.operation) == ("forward", "cast")
    assert origin.cause == "float16: 7.1e4 > 65504"


def test_origin_in_a_vectorized_map_is_found() -> None:
    class Shares(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.vectorized_map(lambda row: row / ops.sum(row), x)

    origin = origin_of(faulty.build([Shares(name="shares"), dense()]), inputs_of(0.0), TARGETS)
    assert (origin.phase, origin.layer) == ("forward", "sequential/shares")
    # TensorFlow compiles the mapped function even if functions run eagerly.
    assert (origin.operation, origin.cause) in [
        ("divide", "0 / 0"),
        ("", "a compiled function returned NaN"),
    ]


def test_layer_counts_show_how_nan_spreads() -> None:
    stack = [
        dense(4, name="a"),
        layers.Activation("linear", name="b"),
        faulty.Exp(name="c"),
        dense(),
    ]
    counts = find_origin(faulty.build(stack), inputs_of(94.2), TARGETS)[1].layers
    assert [count.layer.rpartition("/")[2] for count in counts[:3]] == ["a", "b", "c"]
    assert [bool(count.num_forward) for count in counts] == [False, False, True, True]
    assert counts[-1].num_backward > 0
    finite = find_origin(faulty.build(stack), inputs_of(0.0), TARGETS)[1].layers
    assert all((count.num_forward, count.num_backward) == (0, 0) for count in finite)


def test_origin_inside_the_loop_of_a_recurrent_layer_is_found() -> None:
    class Cell(layers.SimpleRNNCell):
        def call(self, x: Any, states: Any, training: bool = False) -> Any:
            output = ops.exp(x) + states[0]
            return output, [output]

    model = faulty.build([layers.RNN(Cell(2), name="rnn"), dense()], shape=(3, 2))
    inputs = np.full((ROWS, 3, 2), 1.0, "float32")
    inputs[0, 1, 0] = 94.2
    origin = origin_of(model, inputs, TARGETS)
    assert (origin.phase, origin.operation) == ("forward", "exp")
    assert "rnn" in origin.layer
    assert origin.cause == "exp of 94.2 overflows float32 (limit 88.7)"


def test_softmax_of_a_fully_masked_row_is_an_origin() -> None:
    class MaskedSoftmax(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.softmax(ops.where(x > 0, x, -np.inf))

    origin = origin_of(
        faulty.build([dense(4), MaskedSoftmax(name="masked"), dense()]), inputs_of(-1.0), TARGETS
    )
    assert (origin.phase, origin.layer) == ("forward", "sequential/masked")


def test_deliberate_infinities_are_no_origin_but_their_difference_is() -> None:
    class Shifted(layers.Layer):
        def call(self, x: Any) -> Any:
            scores = ops.where(x > 0, x, -np.inf)
            return ops.exp(scores - ops.max(scores, -1, keepdims=True))

    inputs = inputs_of()
    inputs[0, 0] = -1
    model = faulty.build([Shifted(name="shifted"), dense()])
    assert find_origin(model, inputs, TARGETS)[0] is None
    inputs[2] = -1
    assert origin_of(model, inputs, TARGETS) == Origin(
        "forward", "sequential/shifted", "subtract", "Inf - Inf"
    )


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only torch writes in place")
def test_operation_in_place_is_found() -> None:
    class InPlace(layers.Layer):
        def call(self, x: Any) -> Any:
            return (x * 0).log_()

    origin = origin_of(faulty.build([InPlace(name="in_place"), dense()]), inputs_of(), TARGETS)
    assert origin == Origin("forward", "sequential/in_place", "log", "log of exactly 0")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.function")
def test_operation_inside_a_tf_function_is_found() -> None:
    tf = importlib.import_module("tensorflow")

    class Compiled(layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.function(lambda x: tf.math.log(x * 0), jit_compile=True)(x)

    origin = origin_of(faulty.build([Compiled(name="compiled"), dense()]), inputs_of(), TARGETS)
    assert origin == Origin("forward", "sequential/compiled", "log", "log of exactly 0")
    assert not tf.config.functions_run_eagerly()
