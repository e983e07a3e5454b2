"""Facts about a model, whatever the shape of its variables."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import pytest

from keras_l4.callbacks import TrainingDiagnostics
from tests.training import build, train


class Scale(keras.layers.Layer):
    """One weight of the given shape, that multiplies."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def build(self, _: Any) -> None:
        self.weight = self.add_weight(shape=self.shape, initializer="ones")

    def call(self, x: Any) -> Any:
        return x * keras.ops.sum(self.weight)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3,), (2, 0), (1, 1)])
def test_no_shape_of_a_variable_switches_the_look_off(shape: tuple[int, ...]) -> None:
    model = build(layers=[Scale(shape), keras.layers.Dense(1)])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="keras_l4")
        train(model, TrainingDiagnostics(quantities=["gradient_norm"], verbose=0))
