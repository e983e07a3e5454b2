"""Facts about a model, whatever the shape of its variables."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
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


@pytest.mark.parametrize(
    "weights", [{"class_weight": {0: 1.0, 1: 9.0}}, {"sample_weight": np.linspace(0.1, 2.0, 64)}]
)
def test_what_a_constant_reaches_is_not_known_where_examples_are_weighted(
    weights: dict[str, Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)).astype("float32"), (np.arange(64) % 8 == 0).astype(int)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", loss="binary_crossentropy")
    for name, given in {"plain": {}, "weighted": weights}.items():
        diagnostics = TrainingDiagnostics(tmp_path / name, verbose=0)
        model.fit(x, y, epochs=2, verbose=0, callbacks=[diagnostics], **given)
        record = keras_l4.load(tmp_path / name).record
        assert record.facts is not None
        assert record.facts.targets is not None
        marks = [response.accuracy for response in record.responses]
        known = ~np.isnan([record.facts.targets.majority, *marks])
        assert len(marks)
        assert (known == (name == "plain")).all()
