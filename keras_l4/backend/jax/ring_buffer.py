"""Ring buffers on JAX: each write assigns a new array, in the memory of the old one if donated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_l4.backend.interface import Array, Ring, Tensor, Variable
from keras_l4.backend.jax.arrays import replicated_layout_of, with_row


def create(name: str, shape: tuple[int, ...], dtype: str, colocate_with: Variable) -> Ring:
    return keras.Variable(
        np.zeros(shape),
        dtype=dtype,
        trainable=False,
        name=name,
        layout=replicated_layout_of(colocate_with),
    )


def create_counters(name: str, size: int, colocate_with: Variable) -> Ring:
    return create(name, (size,), "int", colocate_with)


def read_counters(counters: Ring) -> Tensor:
    return counters.value


def increment_counters(counters: Ring, counts: Tensor, increments: Sequence[Any]) -> None:
    counters.assign(counts + concat_flat(increments, counters.dtype))


def concat_flat(values: Sequence[Any], dtype: str) -> Tensor:
    vectors = [jnp.asarray(x, dtype).reshape(-1) for x in values]
    return jnp.concatenate(vectors) if vectors else jnp.zeros((0,), dtype)


def write(ring: Ring, index: Any, row: Tensor) -> None:
    ring.assign(with_row(ring.value, index, row))


def overwrite(ring: Ring, values: Tensor) -> None:
    ring.assign(values)


def read(ring: Ring) -> Array:
    return np.array(ring.value)


def read_async(rings: Sequence[Ring]) -> Callable[[], list[Array]]:
    # The arrays themselves are donated to the next step, which overwrites them.
    copies = _copy([ring.value for ring in rings])
    for copy in copies:
        copy.copy_to_host_async()
    return lambda: [np.array(copy) for copy in copies]


@jax.jit
def _copy(arrays: Sequence[Tensor]) -> list[Tensor]:
    return [jnp.copy(x) for x in arrays]
