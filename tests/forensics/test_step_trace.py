"""Births in the forward pass and the loss, on each backend."""

from __future__ import annotations

import importlib
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_l4.forensics.step_trace import Origin, birth
from tests.forensics import sick
from tests.forensics.sick import ARCHITECTURES
from tests.forensics.steps import ROWS, Y, dense, find, x


def test_log_of_zero_in_the_loss() -> None:
    def loss(y_true: Any, y_pred: Any) -> Any:
        return -ops.mean(ops.log(y_pred), -1)

    network = sick.model([dense(4), dense(activation="relu")], loss=loss)
    assert find(network, x(-1.0), Y) == Origin("loss", "", "log", "log of exactly 0")


def test_overridden_compute_loss() -> None:
    class Own(sick.Subclassed):
        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
            return ops.mean((y_pred - y) / (y * 0.0))

    network = Own([dense()])
    network(x())
    network.compile("sgd")
    found = find(network, x(), Y)
    assert found == Origin("loss", "", "divide", "division by zero: 4 / 0")


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("k", range(4))
def test_exp_overflows_in_layer_k(kind: str, k: int) -> None:
    stack = [layers.Activation("linear", name=f"layer_{i}") for i in range(4)]
    stack[k] = sick.Exp(name=f"layer_{k}")
    found = find(sick.model([*stack, dense()], kind), x(94.2), Y)
    assert (found.phase, found.operation) == ("forward", "exp")
    assert found.cause == "exp of 94.2 overflows float32 (limit 88.7)"
    assert found.layer.rpartition("/")[2] == f"layer_{k}"


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_layer_is_that_of_the_variables(kind: str) -> None:
    network = sick.model([dense(4), dense(4, name="huge"), dense()], kind)
    kernel = next(v for v in network.trainable_variables if "huge/kernel" in v.path)
    kernel.assign(np.full(kernel.shape, 3e38, "float32"))
    found = find(network, x(), Y)
    assert found.phase == "forward"
    assert found.layer == kernel.path.removesuffix("/kernel")
    assert found.operation == "matmul"
    assert found.cause == "matmul of numbers up to 4 and 3e38 overflows float32 (limit 3.4e38)"


def test_division_by_zero() -> None:
    inputs = x()
    inputs[2] = -1
    found = find(sick.model([dense(4), sick.MaskedMean(name="mean"), dense()]), inputs, Y)
    assert found == Origin("forward", "sequential/mean", "divide", "0 / 0")


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_float16_overflows(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    network = sick.model([dense(4), sick.Scale(3e4, name="scale"), layers.ReLU(), dense()])
    found = find(network, x(), Y)
    assert found == Origin("forward", "sequential/scale", "multiply", "float16: 1.2e5 > 65504")


def test_float16_overflows_in_a_matrix_product_and_a_cast(backend: str) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    network = sick.model([dense(3, name="first"), dense()])
    found = find(network, x(2e4), Y)
    assert (found.phase, found.layer) == ("forward", "sequential/first")
    # torch multiplies matrices of float16 in float32 on the CPU.
    assert found.operation == ("cast" if backend == "torch" else "matmul")
    assert found.cause == "float16: 8e4 > 65504"
    found = find(network, x(7.1e4), Y)
    assert (found.phase, found.operation) == ("forward", "cast")
    assert found.cause == "float16: 7.1e4 > 65504"


def test_mapped_function() -> None:
    class Shares(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.vectorized_map(lambda row: row / ops.sum(row), x)

    found = find(sick.model([Shares(name="shares"), dense()]), x(0.0), Y)
    assert (found.phase, found.layer) == ("forward", "sequential/shares")
    # TensorFlow compiles the function, whatever it is told.
    assert (found.operation, found.cause) in [
        ("divide", "0 / 0"),
        ("", "a compiled function gives NaN"),
    ]


def test_chain_of_layers() -> None:
    stack = [dense(4, name="a"), layers.Activation("linear", name="b"), sick.Exp(name="c"), dense()]
    chain = birth(sick.model(stack), x(94.2), Y)[1].layers
    assert [link.layer.rpartition("/")[2] for link in chain[:3]] == ["a", "b", "c"]
    assert [bool(link.num_forward) for link in chain] == [False, False, True, True]
    assert chain[-1].num_backward > 0
    healthy = birth(sick.model(stack), x(0.0), Y)[1].layers
    assert all((link.num_forward, link.num_backward) == (0, 0) for link in healthy)


def test_scan_of_a_recurrent_layer() -> None:
    class Cell(layers.SimpleRNNCell):
        def call(self, x: Any, states: Any, training: bool = False) -> Any:
            output = ops.exp(x) + states[0]
            return output, [output]

    network = sick.model([layers.RNN(Cell(2), name="rnn"), dense()], shape=(3, 2))
    inputs = np.full((ROWS, 3, 2), 1.0, "float32")
    inputs[0, 1, 0] = 94.2
    found = find(network, inputs, Y)
    assert (found.phase, found.operation) == ("forward", "exp")
    assert "rnn" in found.layer
    assert found.cause == "exp of 94.2 overflows float32 (limit 88.7)"


def test_row_that_may_look_nowhere() -> None:
    class Blind(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.softmax(ops.where(x > 0, x, -np.inf))

    found = find(sick.model([dense(4), Blind(name="blind"), dense()]), x(-1.0), Y)
    assert (found.phase, found.layer) == ("forward", "sequential/blind")


def test_infinities_that_are_meant() -> None:
    class Shifted(layers.Layer):
        def call(self, x: Any) -> Any:
            scores = ops.where(x > 0, x, -np.inf)
            return ops.exp(scores - ops.max(scores, -1, keepdims=True))

    inputs = x()
    inputs[0, 0] = -1
    network = sick.model([Shifted(name="shifted"), dense()])
    assert birth(network, inputs, Y)[0] is None
    inputs[2] = -1
    assert find(network, inputs, Y) == Origin(
        "forward", "sequential/shifted", "subtract", "Inf - Inf"
    )


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only torch writes in place")
def test_in_place() -> None:
    class InPlace(layers.Layer):
        def call(self, x: Any) -> Any:
            return (x * 0).log_()

    found = find(sick.model([InPlace(name="in_place"), dense()]), x(), Y)
    assert found == Origin("forward", "sequential/in_place", "log", "log of exactly 0")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.function")
def test_compiled_function() -> None:
    tf = importlib.import_module("tensorflow")

    class Compiled(layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.function(lambda x: tf.math.log(x * 0), jit_compile=True)(x)

    found = find(sick.model([Compiled(name="compiled"), dense()]), x(), Y)
    assert found == Origin("forward", "sequential/compiled", "log", "log of exactly 0")
    assert not tf.config.functions_run_eagerly()
