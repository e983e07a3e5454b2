"""JAX: rings are arrays, of which the step makes new ones in place of the old."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_l4.backend.jax.distribution import replicated_layout_of

Ring: TypeAlias = keras.Variable


def new_ring(name: str, shape: tuple[int, ...], dtype: str, beside: keras.Variable) -> Ring:
    """A device variable of zeros, whole on every device that has a part of `beside`."""
    return keras.Variable(
        np.zeros(shape),
        dtype=dtype,
        trainable=False,
        name=name,
        layout=replicated_layout_of(beside),
    )


def new_counters(name: str, num: int, beside: keras.Variable) -> Ring:
    """Integers that are counted on the device."""
    return new_ring(name, (num,), "int", beside)


def read_counters(counters: Ring) -> Any:
    """What they are now."""
    return counters.value


def increment_counters(counters: Ring, before: Any, by: Sequence[Any]) -> None:
    """Adds `by` to what they were before."""
    counters.assign(before + concat_flat(by, counters.dtype))


def concat_flat(parts: Sequence[Any], dtype: str) -> Any:
    """The parts, scalars or vectors, one after the other: a vector."""
    vectors = [jnp.asarray(x, dtype).reshape(-1) for x in parts]
    return jnp.concatenate(vectors) if vectors else jnp.zeros((0,), dtype)


def write(ring: Ring, index: Any, row: Any) -> None:
    """ring[index] = row; in place where the buffer is donated."""
    ring.assign(updated(ring, index, row))


def overwrite(ring: Ring, values: Any) -> None:
    """ring[:] = values."""
    ring.assign(values)


def read(ring: Ring) -> np.ndarray:
    """A copy on the host."""
    return np.array(ring.value)


def read_async(rings: Sequence[Ring]) -> Callable[[], list[np.ndarray]]:
    """Asks for what the rings hold now; the result waits for it, and gives it."""
    # The next step is given the rings' memory: copies outlive it.
    held = _copies([ring.value for ring in rings])
    for copy in held:
        copy.copy_to_host_async()
    return lambda: [np.array(copy) for copy in held]


@jax.jit
def _copies(arrays: Sequence[Any]) -> list[Any]:
    return [jnp.copy(x) for x in arrays]


def updated(ring: Ring, index: Any, row: Any) -> Any:
    """The array with `row` at `index`."""
    row = jnp.asarray(row, ring.dtype)
    return jax.lax.dynamic_update_index_in_dim(ring.value, row, index, axis=0)
