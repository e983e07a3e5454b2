"""What is no array is an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4.callbacks import Curvature
from keras_l4.curvature import classify, spectrum, stability, surface
from tests.curvature.models import compiled

X, Y = np.ones((8, 2), "float32"), np.zeros((8, 1), "float32")


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return X, Y


def of_tensorflow() -> Any:
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


def of_torch() -> Any:
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 2)))


def generator() -> Any:
    return ((X, Y) for _ in range(2))


MADE = {
    "BatchDataset": of_tensorflow,
    "DataLoader": of_torch,
    "generator": generator,
    "Batches": Batches,
}


def at_construction(model: Any, *data: Any) -> None:
    Curvature(None, *data)


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("measure", [spectrum, stability, classify, surface, at_construction])
def test_a_dataset_is_an_error(kind: str, measure: Callable[..., Any]) -> None:
    model = compiled([keras.Input((2,)), layers.Dense(1)], loss="mse")
    with pytest.raises(TypeError, match=rf"x is or holds a _?{kind}: .* x, y = next\(iter\("):
        measure(model, MADE[kind]())
    with pytest.raises(TypeError, match=rf"y is or holds a _?{kind}: "):
        measure(model, X, MADE[kind]())


def test_arrays_of_any_kind_are_taken() -> None:
    model = compiled([keras.Input((2,)), layers.Dense(1)], loss="mse")
    expected = spectrum(model, X, Y).largest
    tensors = keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(Y)
    assert spectrum(model, *tensors).largest == pytest.approx(expected)
    with pytest.raises(TypeError, match="x is or holds a float: expected an array"):
        spectrum(model, [1.0, 2.0], Y)


def test_a_batch_of_a_dataset_is_a_sample() -> None:
    model = compiled([keras.Input((2,)), layers.Dense(1)], loss="mse")
    x, y = next(iter(of_tensorflow()))
    found = spectrum(model, x, y)
    assert found.largest == pytest.approx(spectrum(model, X, Y).largest)
