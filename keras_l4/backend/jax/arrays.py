"""Properties of arrays that several modules of this package need: tracers, bits, layouts."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras

from keras_l4.backend.interface import Tensor, Variable

INTEGER_DTYPES = {2: jnp.int16, 4: jnp.int32, 8: jnp.int64}
"""Integer dtypes by their size in bytes."""


def is_traced(x: Any) -> bool:
    """Returns True if `x` has no value yet, because JAX traces the step."""
    return isinstance(x, jax.core.Tracer)


def to_bits(x: Tensor) -> Tensor:
    """Returns the bits of an array, as integers of the same width."""
    return jax.lax.bitcast_convert_type(x, INTEGER_DTYPES[x.dtype.itemsize])


def with_row(array: Tensor, index: Any, row: Any) -> Tensor:
    """Returns a copy of `array` with `row` at `index`."""
    row = jnp.asarray(row, array.dtype)
    return jax.lax.dynamic_update_index_in_dim(array, row, index, axis=0)


def splits_variables() -> bool:
    """Returns True if a device may hold only a part of a variable."""
    distribution = keras.distribution.distribution()
    return not isinstance(distribution, keras.distribution.DataParallel | None)


def replicated_layout_of(variable: Variable) -> Any:
    """Returns a layout that keeps a copy on each device of `variable`'s mesh; None without a mesh.

    Without a layout of its own, a new variable would be split if its name happens to match a pattern
    of the user's `LayoutMap`.
    """
    sharding = variable.value.sharding
    if isinstance(sharding, jax.sharding.NamedSharding):
        return jax.sharding.NamedSharding(sharding.mesh, jax.sharding.PartitionSpec())
    return None


def flatten_unless_split(x: Tensor) -> Tensor:
    """Returns `x` as a vector, or unchanged if it may be split over devices.

    XLA moves reshapes through the update. A matrix that is stored to be measured would fix a layout,
    and the update would be rounded differently. To flatten a split array, XLA would gather it.
    """
    return x if splits_variables() else jnp.ravel(x)
