"""JAX's meshes: one program over many devices, in which every array is one array."""

from __future__ import annotations

from typing import Any

import jax
import keras
import numpy as np

from keras_l4.backend.common.single_replica import (
    DeduplicatedAllReduce,
    all_reduce_sum,
    is_recording_replica,
    is_replicated,
)

__all__ = [
    "DeduplicatedAllReduce",
    "all_reduce_sum",
    "gather_to_host",
    "has_other_processes",
    "is_first_process",
    "is_recording_replica",
    "is_replicated",
    "replicated_layout_of",
    "splits_variables",
]


def replicated_layout_of(variable: keras.Variable) -> Any:
    """The layout of an array that each device of `variable`'s mesh has a copy of; None without one.

    A layout map would lay out what it was never meant for, if its pattern happens to match.
    """
    sharding = variable.value.sharding
    if isinstance(sharding, jax.sharding.NamedSharding):
        return jax.sharding.NamedSharding(sharding.mesh, jax.sharding.PartitionSpec())
    return None


def splits_variables() -> bool:
    """Whether a device may hold a part of a variable only."""
    distribution = keras.distribution.distribution()
    return not isinstance(distribution, keras.distribution.DataParallel | None)


def is_first_process() -> bool:
    """Whether this process speaks and writes for all."""
    return jax.process_index() == 0


def has_other_processes() -> bool:
    """Whether other processes train the same model, and wait where this one does not go on."""
    return jax.process_count() > 1


def gather_to_host(variable: keras.Variable) -> np.ndarray[Any, Any] | None:
    """A copy on the host; None where other processes hold parts: to fetch them, all have to ask."""
    array = variable.value
    return np.array(array) if array.is_fully_addressable or array.is_fully_replicated else None
