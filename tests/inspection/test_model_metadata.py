"""Metadata of a model and its data."""

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
    """Multiplies its input by the sum of one weight of the given shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def build(self, _: Any) -> None:
        self.weight = self.add_weight(shape=self.shape, initializer="ones")

    def call(self, x: Any) -> Any:
        return x * keras.ops.sum(self.weight)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3,), (2, 0), (1, 1)])
def test_a_variable_of_any_shape_is_described(shape: tuple[int, ...], tmp_path: Path) -> None:
    model = build(layers=[Scale(shape), keras.layers.Dense(1)])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="keras_l4")
        train(model, TrainingDiagnostics(tmp_path, quantities=["gradient_norm"], verbose=0))

    metadata = keras_l4.load(tmp_path).record.metadata
    assert metadata is not None
    assert [variable.shape for variable in metadata.variables] == [shape, (3, 1), (1,)]
    assert metadata.variables[0].mean == (0.0 if 0 in shape else 1.0)


@pytest.mark.parametrize(
    "weights", [{"class_weight": {0: 1.0, 1: 9.0}}, {"sample_weight": np.linspace(0.1, 2.0, 64)}]
)
def test_scores_are_unknown_if_examples_are_weighted(
    weights: dict[str, Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)).astype("float32"), (np.arange(64) % 8 == 0).astype(int)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", loss="binary_crossentropy")
    for name, arguments in {"plain": {}, "weighted": weights}.items():
        diagnostics = TrainingDiagnostics(tmp_path / name, verbose=0)
        model.fit(x, y, epochs=2, verbose=0, callbacks=[diagnostics], **arguments)
        record = keras_l4.load(tmp_path / name).record
        assert record.metadata is not None
        assert record.metadata.targets is not None
        accuracies = [response.accuracy for response in record.probes]
        is_known = ~np.isnan([record.metadata.targets.majority_fraction, *accuracies])
        assert len(accuracies)
        assert (is_known == (name == "plain")).all()
