"""Births in the batch and in the variables, on each backend."""

from __future__ import annotations

import importlib
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
@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "Inf")])
def test_data(kind: str, bad: float, word: str) -> None:
    inputs = x()
    inputs[4, 2] = bad
    network = sick.model([dense(4), layers.BatchNormalization(), dense()], kind)
    assert find(network, inputs, Y) == Origin(
        "data", "", "", f"input batch: 1 {word} in column 2 of row 4"
    )


def test_data_in_targets_weights_and_named_inputs() -> None:
    network = sick.model([dense()])
    targets, weight = Y.copy(), np.ones(ROWS, "float32")
    targets[3, 0] = weight[1] = np.nan
    assert find(network, x(), targets).cause == "target batch: 1 NaN in column 0 of row 3"
    assert find(network, x(), Y, weight).cause == "sample weights: 1 NaN in row 1"
    named = {name: keras.Input((FEATURES,), name=name) for name in "ab"}
    network = keras.Model(named, dense()(layers.Add()(list(named.values()))))
    network.compile("sgd", "mse")
    images = x()
    images[2, 1:] = np.nan, np.nan, np.inf
    expected = "input batch 'b': 2 NaN and 1 Inf, the first in column 1 of row 2"
    assert find(network, {"a": x(), "b": images}, Y).cause == expected


def test_nan_that_is_masked_out_is_no_birth() -> None:
    class UpdateGuard(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.where(ops.isnan(x), 0.0, x)

    inputs = x()
    inputs[0, 0] = np.nan
    found, (loss, gradients, _) = birth(sick.model([UpdateGuard(), dense()]), inputs, Y)
    assert found is None
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no sparse input there")
def test_sparse_inputs() -> None:
    def sparse(array: np.ndarray) -> Any:
        if keras.backend.backend() == "jax":
            return importlib.import_module("jax.experimental.sparse").BCOO.fromdense(array)
        return importlib.import_module("tensorflow").sparse.from_dense(array)

    inputs = keras.Input((FEATURES,), sparse=True)
    network = keras.Model(inputs, dense()(inputs))
    network.compile("sgd", "mse")
    rows = np.eye(ROWS, FEATURES, dtype="float32")
    assert birth(network, sparse(rows), Y)[0] is None
    rows[2, 2] = np.nan
    assert find(network, sparse(rows), Y).cause == "input batch: 1 NaN in column 2 of row 2"


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_weights(kind: str) -> None:
    network = sick.model([dense(4), dense(4, name="sick"), dense()], kind)
    kernel = next(v for v in network.trainable_variables if "sick/kernel" in v.path)
    values = np.ones(kernel.shape, "float32")
    values[0, :3] = np.nan
    kernel.assign(values)
    cause = f"{kernel.path}: 3 NaN of 16 elements before the step"
    layer = kernel.path.removesuffix("/kernel")
    assert find(network, x(), Y) == Origin("weights", layer, "", cause)


@pytest.mark.parametrize("trainable", [True, False])
def test_poisoned_statistics(trainable: bool) -> None:
    network = sick.model([dense(4), layers.BatchNormalization(name="norm"), dense()])
    norm = network.get_layer("norm")
    norm.trainable = trainable
    norm.moving_mean.assign([0.0, np.nan, 0.0, 0.0])
    cause = f"{norm.moving_mean.path}: 1 NaN of 4 elements before the step"
    assert find(network, x(), Y) == Origin("weights", norm.path, "", cause)


def test_negative_variance() -> None:
    network = sick.model([dense(4), layers.BatchNormalization(name="norm"), dense()])
    norm = network.get_layer("norm")
    norm.trainable = False
    norm.moving_variance.assign([1.0, -1.0, 1.0, 1.0])
    found = find(network, x(), Y)
    assert (found.phase, found.layer, found.operation) == ("weights", norm.path, "rsqrt")
    assert found.cause.startswith(f"{norm.moving_variance.path}: -1 is no variance; 1 of 4")


def test_nan_in_a_variable_that_the_step_does_not_use_is_no_birth() -> None:
    class Idle(layers.Layer):
        def build(self, shape: Any) -> None:
            self.idle = self.add_weight(trainable=False, name="idle")

        def call(self, x: Any) -> Any:
            return x

    network = sick.model([Idle(name="idle"), dense()])
    network.get_layer("idle").idle.assign(np.nan)
    assert birth(network, x(), Y)[0] is None
