"""What the record takes on the device is what the README says."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.optimizers import instrument
from keras_l4.session.config import SessionConfig

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
VARIABLES = {10: (100, 100), 100: (100, 100)}
PARAMETERS = {"1 M": (316, 316), "10 M": (1000, 1000)}


def kilobytes(optimizer: keras.optimizers.Optimizer, num: int, shape: tuple[int, ...]) -> int:
    """Of the rings of so many variables, by default settings."""
    optimizer.build([keras.Variable(np.zeros(shape, "float32")) for _ in range(num)])
    callback = TrainingDiagnostics()
    plan = SessionConfig.of([callback.options], name="", steps_per_execution=1, xla=False)
    instrument(optimizer, plan.settings(callback.quantities, "off"))
    recorder = optimizer.recorder
    weights = {id(ring) for ring in recorder.weights.rings}
    rings = [ring for ring in recorder.rings if id(ring) not in weights]
    # Floats, and integers of the same width: four bytes.
    return round(sum(math.prod(ring.shape) * 4 for ring in rings) / 1000)


def row(first: object, num: int, shape: tuple[int, ...]) -> str:
    sgd, adam = keras.optimizers.SGD(), keras.optimizers.Adam()
    return f"| {first} | {kilobytes(sgd, num, shape)} | {kilobytes(adam, num, shape)} |"


@pytest.mark.parametrize(("num", "shape"), VARIABLES.items())
def test_per_variable(num: int, shape: tuple[int, ...]) -> None:
    assert row(num, num, shape) in README


@pytest.mark.parametrize(("says", "shape"), PARAMETERS.items())
def test_not_by_their_size(says: str, shape: tuple[int, ...]) -> None:
    assert row(says, 10, shape) in README
