"""Processes on TensorFlow and torch: `keras.distribution` supports several on JAX only."""

from __future__ import annotations

import keras
import numpy as np

from keras_l4.backend.interface import Array, Variable


def is_first_process() -> bool:
    return True


def has_other_processes() -> bool:
    return False


def gather_to_host(variable: Variable) -> Array | None:
    return np.array(keras.ops.convert_to_numpy(variable))
