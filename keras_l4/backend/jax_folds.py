"""JAX: counts and extremes over the elements of arrays.

XLA compiles each operation on each array: smaller ones of one size go through them together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keras_l4.backend.groups import groups
from keras_l4.backend.mesh import splits_variables

INTEGERS = {2: jnp.int16, 4: jnp.int32, 8: jnp.int64}
_FOLDS = {
    "count": jax.lax.add,
    "magnitude": jax.lax.max,
    "maximum": jax.lax.max,
    "minimum": jax.lax.min,
}


def each(
    function: Callable[..., Sequence[Any]],
    tensors: Sequence[Any],
    *vectors: Any,
    small: int = 2**16,
) -> list[Any]:
    """The scalars that `function` makes of each array: vectors `[len(tensors)]`; none of none.

    Args:
        function: Is given an array, and its element of each of the vectors.
        tensors: The arrays.
        vectors: `[len(tensors)]` each.
        small: Arrays of at most so many elements may be stacked.
    """
    if not tensors:
        return []
    # XLA looks into a branch, and rounds the update differently for what becomes of its gradients.
    held = jax.lax.optimization_barrier(list(tensors))
    together, order = groups(tuple(_kind(x, small) for x in held))
    parts = [
        _of_group(function, [held[i] for i in group], [v[np.array(group)] for v in vectors])
        for group in together
    ]
    columns = [jnp.concatenate(column) for column in zip(*parts, strict=True)]
    return [column[order] for column in columns] if len(order) else columns


def _kind(x: Any, small: int) -> Any:
    # To stack arrays that are split over devices would be to put them together.
    return (x.size, x.dtype) if x.size <= small and not splits_variables() else None


def _of_group(
    function: Callable[..., Sequence[Any]], tensors: Sequence[Any], vectors: Sequence[Any]
) -> list[Any]:
    if len(tensors) == 1:
        return [x.reshape(1) for x in function(tensors[0], *(v[0] for v in vectors))]
    # Without a barrier XLA would choose among them anew for each element of each operation.
    stacked = jax.lax.optimization_barrier(jnp.stack([x.reshape(-1) for x in tensors]))
    return list(jax.vmap(function)(stacked, *vectors))


def folded(
    tensors: Sequence[Any], elements: Callable[[Any], list[Any]], folds: Sequence[str]
) -> list[Any]:
    """What `elements` makes of each array, folded; 0 for an empty one.

    Returns:
        A vector `[len(tensors)]` per fold, `int32` for a count, else `float32`.
    """
    columns = each(lambda x: _fold(elements(x), folds), tensors)
    dtypes = ["int32" if how == "count" else "float32" for how in folds]
    return [column.astype(dtype) for column, dtype in zip(columns, dtypes, strict=True)]


def _fold(elements: Sequence[Any], folds: Sequence[str]) -> list[Any]:
    numbers = [_number(x, how) for x, how in zip(elements, folds, strict=True)]
    if not numbers or not numbers[0].size:
        return [jnp.zeros((), x.dtype) for x in numbers]
    triples = zip(_reduced(numbers, folds), elements, folds, strict=True)
    return [_from_bits(x, like) if how == "magnitude" else x for x, like, how in triples]


def _number(x: Any, how: str) -> Any:
    if how == "magnitude":
        return magnitude_bits(x)
    return x.astype(jnp.int32) if how == "count" else x


def _reduced(numbers: Sequence[Any], folds: Sequence[str]) -> Sequence[Any]:
    """One reduction of all, which XLA fuses with what makes them.

    Alone, each would be written to memory first.
    """
    starts = [_start(x, how) for x, how in zip(numbers, folds, strict=True)]
    axes = tuple(range(numbers[0].ndim))
    if splits_variables():
        # Of a common reduction each result would be exchanged by itself, not all in one go.
        triples = zip(numbers, starts, folds, strict=True)
        return [jax.lax.reduce(x, start, _FOLDS[how], axes) for x, start, how in triples]

    def combine(left: Sequence[Any], right: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(_FOLDS[how](a, b) for a, b, how in zip(left, right, folds, strict=True))

    return jax.lax.reduce(tuple(numbers), tuple(starts), combine, axes)


def _start(x: Any, how: str) -> Any:
    if how == "count":
        return jnp.int32(0)
    limits = jnp.iinfo(x.dtype) if jnp.issubdtype(x.dtype, jnp.integer) else jnp.finfo(x.dtype)
    return jnp.asarray(limits.max if how == "minimum" else limits.min, x.dtype)


def _from_bits(bits: Any, like: Any) -> Any:
    return jax.lax.bitcast_convert_type(bits, like.dtype).astype(jnp.float32)


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = INTEGERS[x.dtype.itemsize]
    return jax.lax.bitcast_convert_type(x, integer) & jnp.iinfo(integer).max
