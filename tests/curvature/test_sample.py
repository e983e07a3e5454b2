"""Data that are not arrays raise an error that explains how to get a sample."""

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


def tensorflow_dataset() -> Any:
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


def torch_loader() -> Any:
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 2)))


def generator() -> Any:
    return ((X, Y) for _ in range(2))


DATASETS = {
    "BatchDataset": tensorflow_dataset,
    "DataLoader": torch_loader,
    "generator": generator,
    "Batches": Batches,
}


def create_callback(model: Any, *data: Any) -> None:
    Curvature(None, *data)


@pytest.mark.parametrize("kind", DATASETS)
@pytest.mark.parametrize("measure", [spectrum, stability, classify, surface, create_callback])
def test_dataset_raises_an_error(kind: str, measure: Callable[..., Any]) -> None:
    model = compiled([keras.Input((2,)), layers.Dense(1)], loss="mse")
    with pytest.raises(TypeError, match=rf"x is or holds a _?{kind}: .* x, y = next\(iter\("):
        measure(model, DATASETS[kind]())
    with pytest.raises(TypeError, match=rf"y is or holds a _?{kind}: "):
        measure(model, X, DATASETS[kind]())


def test_tensors_are_accepted_and_lists_are_not() -> None:
    model = compiled([keras.Input((2,)), layers.Dense(1)], loss="mse")
    expected = spectrum(model, X, Y).largest
    tensors = keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(Y)
    assert spectrum(model, *tensors).largest == pytest.approx(expected)
    with pytest.raises(TypeError, match="x is or holds a float: expected an array"):
        spectrum(model, [1.0, 2.0], Y)


def test_batch_of_a_dataset_is_accepted() -> None:
    model = compiled([keras.Input((2,)), layers.Dense(1)], loss="mse")
    x, y = next(iter(tensorflow_dataset()))
    found = spectrum(model, x, y)
    assert found.largest == pytest.approx(spectrum(model, X, Y).largest)
