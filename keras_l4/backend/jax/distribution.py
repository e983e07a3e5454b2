"""Processes on JAX. On a mesh of devices the step is one program, in which a variable is one array."""

from __future__ import annotations

import jax
import numpy as np

from keras_l4.backend.common.single_replica import (
    all_reduce_sum,
    is_recording_replica,
    is_replicated,
)
from keras_l4.backend.interface import Array, Variable

__all__ = [
    "all_reduce_sum",
    "gather_to_host",
    "has_other_processes",
    "is_first_process",
    "is_recording_replica",
    "is_replicated",
]


def is_first_process() -> bool:
    return jax.process_index() == 0


def has_other_processes() -> bool:
    return jax.process_count() > 1


def gather_to_host(variable: Variable) -> Array | None:
    array = variable.value
    return np.array(array) if array.is_fully_addressable or array.is_fully_replicated else None
