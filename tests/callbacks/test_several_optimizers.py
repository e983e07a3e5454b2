"""The argument `optimizer`: models with several optimizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from tests.training import STEPS, build, event_files, norms, train


def test_another_optimizer_has_its_own_directory(tmp_path: Path) -> None:
    heads = keras.optimizers.Adam(0.01, name="heads")
    model = build(keras.optimizers.SGD(0.01, name="trunk"))
    train(model, norms(tmp_path), norms(tmp_path, optimizer=model.optimizer))
    assert [path.parent for path in event_files(tmp_path)] == [tmp_path / "diagnostics"]

    # `heads` is not called in this fit, so there is nothing to record.
    train(model, norms(tmp_path / "two", optimizer=heads))
    folders = {path.parent for path in event_files(tmp_path / "two")}
    assert folders == {tmp_path / "two" / "diagnostics" / "heads"}
    assert type(heads) is type(keras.optimizers.Adam())


class TwoOptimizers(keras.Sequential):
    """Follows every step of its optimizer by a step of the second one, with a gradient of ones."""

    second: Any

    def train_step(self, *data: Any) -> Any:
        logs = super().train_step(*data)
        variables = self.layers[-1].trainable_variables
        self.second.apply([keras.ops.ones_like(v) for v in variables], variables)
        return logs


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras on JAX has no stateful step")
def test_two_optimizers_are_recorded_side_by_side(tmp_path: Path) -> None:
    dense = keras.layers.Dense
    model = TwoOptimizers([keras.Input((3,)), dense(2), dense(1)])
    model.second = keras.optimizers.SGD(0.01, name="second")
    model.second.build(model.layers[-1].trainable_variables)
    model.compile("adam", "mse")
    train(model, norms(tmp_path), norms(tmp_path, optimizer=model.second))

    main = keras_l4.load(tmp_path, optimizer="diagnostics")
    other = keras_l4.load(tmp_path, optimizer="second")
    assert len(main.steps) == len(other.steps) == STEPS
    assert (len(main.variables), len(other.variables)) == (4, 2)
    np.testing.assert_allclose(other.series("gradient_norm").values, np.sqrt(3.0), rtol=1e-6)
