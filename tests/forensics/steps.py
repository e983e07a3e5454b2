"""One step of a model, looked at; the model and the random state stay as they are."""

from __future__ import annotations

import importlib
import random
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_l4.forensics.step_trace import Origin, birth
from tests.forensics.sick import FEATURES

ROWS = 6
Y = np.zeros((ROWS, 1), "float32")


def x(value: float = 1.0) -> np.ndarray:
    return np.full((ROWS, FEATURES), value, "float32")


def states(model: Any) -> list[bytes]:
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    held = [np.array(ops.convert_to_numpy(v.value)).tobytes() for v in variables]
    return [*held, repr(random.getstate()).encode(), repr(np.random.get_state()).encode(), _torch()]


def _torch() -> bytes:
    """The state of torch's generator, from which Keras' dropout without a seed draws."""
    if keras.backend.backend() != "torch":
        return b""
    return bytes(importlib.import_module("torch").random.get_rng_state().numpy())


def find(model: Any, *batch: Any) -> Origin:
    """The birth; the model and the random state are as they were."""
    before = states(model)
    found, _ = birth(model, *batch)
    assert states(model) == before
    assert found is not None
    return found


def dense(units: int = 1, **options: Any) -> Any:
    return layers.Dense(units, kernel_initializer="ones", **options)
