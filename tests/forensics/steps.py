"""Traces one step of a model, and asserts that the model and the random state do not change."""

from __future__ import annotations

import importlib
import random
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_l4.forensics.origin import Origin, find_origin
from tests.forensics.faulty import FEATURES

ROWS = 6
TARGETS = np.zeros((ROWS, 1), "float32")


def inputs_of(value: float = 1.0) -> np.ndarray:
    """Returns a batch of inputs that all have this value."""
    return np.full((ROWS, FEATURES), value, "float32")


def state_bytes(model: Any) -> list[bytes]:
    """Returns the values of all variables and the states of all random generators."""
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    values = [np.array(ops.convert_to_numpy(v.value)).tobytes() for v in variables]
    generators = [repr(random.getstate()).encode(), repr(np.random.get_state()).encode()]
    return [*values, *generators, _torch_generator()]


def _torch_generator() -> bytes:
    """Returns the state of torch's generator, from which Keras' dropout without a seed draws."""
    if keras.backend.backend() != "torch":
        return b""
    return bytes(importlib.import_module("torch").random.get_rng_state().numpy())


def origin_of(model: Any, *batch: Any) -> Origin:
    """Returns the origin in a step with this batch, and asserts that the state is restored."""
    before = state_bytes(model)
    origin, _ = find_origin(model, *batch)
    assert state_bytes(model) == before
    assert origin is not None
    return origin


def dense(units: int = 1, **options: Any) -> Any:
    """Returns a dense layer with a kernel of ones."""
    return layers.Dense(units, kernel_initializer="ones", **options)
