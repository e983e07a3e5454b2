"""TensorFlow and torch: `keras.distribution` has no processes there."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def is_first_process() -> bool:
    """Whether this process speaks and writes for all: it is alone."""
    return True


def has_other_processes() -> bool:
    """Whether other processes train the same model: there are none."""
    return False


def gather_to_host(variable: keras.Variable) -> np.ndarray[Any, Any] | None:
    """A copy on the host."""
    return np.array(keras.ops.convert_to_numpy(variable))
