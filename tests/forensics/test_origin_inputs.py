"""Origins in the batch and in the variables."""

from __future__ import annotations

import importlib
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
@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "Inf")])
def test_bad_element_of_the_inputs_is_named(architecture: str, bad: float, word: str) -> None:
    inputs = inputs_of()
    inputs[4, 2] = bad
    model = faulty.build([dense(4), layers.BatchNormalization(), dense()], architecture)
    assert origin_of(model, inputs, TARGETS) == Origin(
        "data", "", "", f"input batch: 1 {word} in column 2 of row 4"
    )


def test_bad_elements_of_targets_weights_and_named_inputs_are_named() -> None:
    model = faulty.build([dense()])
    targets, weight = TARGETS.copy(), np.ones(ROWS, "float32")
    targets[3, 0] = weight[1] = np.nan
    assert (
        origin_of(model, inputs_of(), targets).cause == "target batch: 1 NaN in column 0 of row 3"
    )
    assert origin_of(model, inputs_of(), TARGETS, weight).cause == "sample weights: 1 NaN in row 1"
    named = {name: keras.Input((FEATURES,), name=name) for name in "ab"}
    model = keras.Model(named, dense()(layers.Add()(list(named.values()))))
    model.compile("sgd", "mse")
    images = inputs_of()
    images[2, 1:] = np.nan, np.nan, np.inf
    expected = "input batch 'b': 2 NaN and 1 Inf, the first in column 1 of row 2"
    assert origin_of(model, {"a": inputs_of(), "b": images}, TARGETS).cause == expected


def test_nan_that_a_layer_replaces_is_no_origin() -> None:
    class ReplaceNan(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.where(ops.isnan(x), 0.0, x)

    inputs = inputs_of()
    inputs[0, 0] = np.nan
    origin, (loss, gradients, _) = find_origin(
        faulty.build([ReplaceNan(), dense()]), inputs, TARGETS
    )
    assert origin is None
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no sparse input there")
def test_bad_element_of_sparse_inputs_is_named() -> None:
    def sparse(array: np.ndarray) -> Any:
        if keras.backend.backend() == "jax":
            return importlib.import_module("jax.experimental.sparse").BCOO.fromdense(array)
        return importlib.import_module("tensorflow").sparse.from_dense(array)

    inputs = keras.Input((FEATURES,), sparse=True)
    model = keras.Model(inputs, dense()(inputs))
    model.compile("sgd", "mse")
    rows = np.eye(ROWS, FEATURES, dtype="float32")
    assert find_origin(model, sparse(rows), TARGETS)[0] is None
    rows[2, 2] = np.nan
    assert (
        origin_of(model, sparse(rows), TARGETS).cause == "input batch: 1 NaN in column 2 of row 2"
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_bad_weight_is_named(architecture: str) -> None:
    model = faulty.build([dense(4), dense(4, name="faulty"), dense()], architecture)
    kernel = next(v for v in model.trainable_variables if "faulty/kernel" in v.path)
    values = np.ones(kernel.shape, "float32")
    values[0, :3] = np.nan
    kernel.assign(values)
    cause = f"{kernel.path}: 3 NaN among 16 elements before the step"
    layer = kernel.path.removesuffix("/kernel")
    assert origin_of(model, inputs_of(), TARGETS) == Origin("weights", layer, "", cause)


@pytest.mark.parametrize("trainable", [True, False])
def test_bad_moving_mean_is_named(trainable: bool) -> None:
    model = faulty.build([dense(4), layers.BatchNormalization(name="norm"), dense()])
    norm = model.get_layer("norm")
    norm.trainable = trainable
    norm.moving_mean.assign([0.0, np.nan, 0.0, 0.0])
    cause = f"{norm.moving_mean.path}: 1 NaN among 4 elements before the step"
    assert origin_of(model, inputs_of(), TARGETS) == Origin("weights", norm.path, "", cause)


def test_negative_moving_variance_is_named() -> None:
    model = faulty.build([dense(4), layers.BatchNormalization(name="norm"), dense()])
    norm = model.get_layer("norm")
    norm.trainable = False
    norm.moving_variance.assign([1.0, -1.0, 1.0, 1.0])
    origin = origin_of(model, inputs_of(), TARGETS)
    assert (origin.phase, origin.layer, origin.operation) == ("weights", norm.path, "rsqrt")
    assert origin.cause.startswith(f"{norm.moving_variance.path}: negative variance -1; 1 of 4")


def test_nan_in_an_unused_variable_is_no_origin() -> None:
    class Unused(layers.Layer):
        def build(self, shape: Any) -> None:
            self.unused = self.add_weight(trainable=False, name="unused")

        def call(self, x: Any) -> Any:
            return x

    model = faulty.build([Unused(name="unused"), dense()])
    model.get_layer("unused").unused.assign(np.nan)
    assert find_origin(model, inputs_of(), TARGETS)[0] is None
