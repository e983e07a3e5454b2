"""Batches of strings are kept; ragged and sparse ones are refused with a word, and harm nothing."""

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
from keras_l4.forensics.tape import BatchBuffer
from tests.training import same, state

Y = np.array([[0.0], [1.0], [2.0], [np.nan]], "float32")
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow has such tensors"
)


def tensorflow() -> Any:
    return importlib.import_module("tensorflow")


def batches(x: Any) -> Any:
    """A dataset of two batches; the second target of the second is NaN."""
    return tensorflow().data.Dataset.from_tensor_slices((x, Y)).batch(2)


def compiled(inputs: Any, hidden: Any) -> Any:
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def fitted(make: Callable[[], Any], data: tuple[Any, ...], folder: Path) -> FlightRecorder:
    """Of two models that are the same, the second is watched: both end in the same state."""
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
def test_strings(tmp_path: Path) -> None:
    def model() -> Any:
        words = keras.Input((1,), dtype="string")
        numbers = layers.StringLookup(vocabulary=["a", "bc"])(words)
        return compiled(words, layers.Flatten()(layers.Embedding(3, 2)(numbers)))

    capsule = fitted(model, (batches([["a"], ["bc"], ["a"], ["ä"]]),), tmp_path).capsule
    assert capsule is not None
    result = replay(capsule)
    assert result.birth is not None
    assert (result.step, result.birth.phase, result.reproduced) == (2, "data", True)


@on_tensorflow
def test_ragged(tmp_path: Path) -> None:
    class Lengths(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x.to_tensor(shape=(None, 3)))

    def model() -> Any:
        made = Lengths()
        made.dense.build((None, 3))
        made.built = True
        made.compile("sgd", "mse", run_eagerly=True)
        return made

    ragged = tensorflow().ragged.constant([[1.0], [2.0, 3.0], [4.0], [5.0]])
    with pytest.warns(RuntimeWarning, match="a batch holds a RaggedTensor"):
        recorder = fitted(model, (batches(ragged),), tmp_path)
    assert recorder.capsule is None


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no sparse input there")
def test_sparse(tmp_path: Path) -> None:
    def model() -> Any:
        inputs = keras.Input((3,), sparse=True)
        return compiled(inputs, layers.Dense(2)(inputs))

    def sparse() -> tuple[Any, ...]:
        dense = np.eye(4, 3, dtype="float32")
        if keras.backend.backend() == "jax":
            return importlib.import_module("jax.experimental.sparse").BCOO.fromdense(dense), Y
        return (batches(tensorflow().sparse.from_dense(dense)),)

    with pytest.warns(RuntimeWarning, match="a batch holds a (SparseTensor|BCOO)"):
        recorder = fitted(model, sparse(), tmp_path)
    assert recorder.capsule is None


@pytest.mark.parametrize("part", [np.array([object()]), "text", 3])
def test_what_is_no_array(part: Any) -> None:
    with pytest.raises(TypeError, match="expected dense arrays"):
        BatchBuffer(2**20).add((np.ones(3), part), [])


def test_the_states_of_generators_count() -> None:
    tape = BatchBuffer(100)
    tape.add((np.zeros(5),), [np.zeros(5)])
    assert tape.num_bytes == 80
    with pytest.raises(ValueError, match="104 bytes"):
        tape.add((np.zeros(5),), [np.zeros(8)])
