"""JAX's meshes: one program over many devices, in which every array is one array."""

from __future__ import annotations

from typing import Any

import jax
import keras


def whole_beside(variable: keras.Variable) -> Any:
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
