"""The flight recorder buffers strings; ragged and sparse batches switch it off with a warning."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4 import replay
from keras_l4.callbacks import FlightRecorder
from keras_l4.forensics.batch_buffer import BatchBuffer
from tests.training import same, state

Y = np.array([[0.0], [1.0], [2.0], [np.nan]], "float32")
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow has such tensors"
)


def tensorflow() -> Any:
    return importlib.import_module("tensorflow")


def batches(x: Any) -> Any:
    """Returns a dataset of two batches; the last target is NaN."""
    return tensorflow().data.Dataset.from_tensor_slices((x, Y)).batch(2)


def compile_model(inputs: Any, hidden: Any) -> Any:
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def fit_with_and_without(
    make: Callable[[], Any], data: tuple[Any, ...], folder: Path
) -> FlightRecorder:
    """Trains two equal models, the second with a flight recorder; asserts that both end equal."""
    recorder = FlightRecorder(folder, verbose=0)
    ends = []
    for callbacks in ([], [recorder]):
        keras.utils.set_random_seed(0)
        model = make()
        model.fit(*data, batch_size=None if len(data) == 1 else 2, verbose=0, callbacks=callbacks)
        ends.append(state(model))
    assert same(*ends)
    return recorder


@on_tensorflow
def test_strings_are_buffered_and_replayed(tmp_path: Path) -> None:
    def model() -> Any:
        words = keras.Input((1,), dtype="string")
        numbers = layers.StringLookup(vocabulary=["a", "bc"])(words)
        return compile_model(words, layers.Flatten()(layers.Embedding(3, 2)(numbers)))

    capsule = fit_with_and_without(
        model, (batches([["a"], ["bc"], ["a"], ["ä"]]),), tmp_path
    ).capsule
    assert capsule is not None
    result = replay(capsule)
    assert result.origin is not None
    assert (result.step, result.origin.phase, result.is_reproduced) == (2, "data", True)


@on_tensorflow
def test_ragged_batches_write_no_capsule(tmp_path: Path) -> None:
    class Lengths(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x.to_tensor(shape=(None, 3)))

    def model() -> Any:
        model = Lengths()
        model.dense.build((None, 3))
        model.built = True
        model.compile("sgd", "mse", run_eagerly=True)
        return model

    ragged = tensorflow().ragged.constant([[1.0], [2.0, 3.0], [4.0], [5.0]])
    with pytest.warns(RuntimeWarning, match="A batch contains a RaggedTensor"):
        recorder = fit_with_and_without(model, (batches(ragged),), tmp_path)
    assert recorder.capsule is None


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no sparse input there")
def test_sparse_batches_write_no_capsule(tmp_path: Path) -> None:
    def model() -> Any:
        inputs = keras.Input((3,), sparse=True)
        return compile_model(inputs, layers.Dense(2)(inputs))

    def sparse() -> tuple[Any, ...]:
        dense = np.eye(4, 3, dtype="float32")
        if keras.backend.backend() == "jax":
            return importlib.import_module("jax.experimental.sparse").BCOO.fromdense(dense), Y
        return (batches(tensorflow().sparse.from_dense(dense)),)

    with pytest.warns(RuntimeWarning, match="A batch contains a (SparseTensor|BCOO)"):
        recorder = fit_with_and_without(model, sparse(), tmp_path)
    assert recorder.capsule is None


@pytest.mark.parametrize("part", [np.array([object()]), "text", 3])
def test_batch_with_something_else_than_arrays_is_rejected(part: Any) -> None:
    with pytest.raises(TypeError, match="expected dense arrays"):
        BatchBuffer(2**20).add((np.ones(3), part), [])


def test_random_states_count_as_memory() -> None:
    buffer = BatchBuffer(100)
    buffer.add((np.zeros(5),), [np.zeros(5)])
    assert buffer.num_bytes == 80
    with pytest.raises(ValueError, match="104 bytes"):
        buffer.add((np.zeros(5),), [np.zeros(8)])
