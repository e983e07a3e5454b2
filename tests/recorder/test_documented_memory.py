"""The recorder takes the device memory that the README states."""

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
    """Returns the size of the ring buffers for `num` variables, with the default configuration."""
    optimizer.build([keras.Variable(np.zeros(shape, "float32")) for _ in range(num)])
    callback = TrainingDiagnostics()
    config = SessionConfig.merge([callback], name="", steps_per_execution=1, xla=False)
    instrument(optimizer, config.recorder)
    recorder = optimizer.recorder
    weights = {id(ring) for ring in recorder.pre_update_weights.rings}
    rings = [ring for ring in recorder.rings if id(ring) not in weights]
    # Floats, and integers of the same width: four bytes each.
    return round(sum(math.prod(ring.shape) * 4 for ring in rings) / 1000)


def row(first: object, num: int, shape: tuple[int, ...]) -> str:
    sgd, adam = keras.optimizers.SGD(), keras.optimizers.Adam()
    return f"| {first} | {kilobytes(sgd, num, shape)} | {kilobytes(adam, num, shape)} |"


@pytest.mark.parametrize(("num", "shape"), VARIABLES.items())
def test_memory_per_variable_is_documented(num: int, shape: tuple[int, ...]) -> None:
    assert row(num, num, shape) in README


@pytest.mark.parametrize(("num_parameters", "shape"), PARAMETERS.items())
def test_memory_does_not_depend_on_the_size_of_variables(
    num_parameters: str, shape: tuple[int, ...]
) -> None:
    assert row(num_parameters, 10, shape) in README
