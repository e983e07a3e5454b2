"""JAX: sums, counts and extremes over the elements of arrays.

XLA compiles each operation on each array, and allocates memory for each at every step: smaller arrays
go through them together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keras_l4.backend.common.grouping import groups
from keras_l4.backend.common.packing import Kind, Packing, packs
from keras_l4.backend.jax.core import is_traced, to_float32
from keras_l4.backend.jax.distribution import splits_variables

INTEGERS = {2: jnp.int16, 4: jnp.int32, 8: jnp.int64}
_FOLDS = {
    "count": jax.lax.add,
    "magnitude": jax.lax.max,
    "maximum": jax.lax.max,
    "minimum": jax.lax.min,
    "sum": jax.lax.add,
}
_DTYPES = {"count": "int32", "magnitude": "float32", "maximum": "float32", "minimum": "float32"}


def reduce_elements(
    tensors: Sequence[Any],
    elements: Callable[..., list[Any]],
    folds: Sequence[str],
    *vectors: Any,
    small: int = 2**14,
) -> list[Any]:
    """What `elements` makes of each array, folded; 0 for an empty one.

    Args:
        tensors: The arrays.
        elements: Is given an array, and its element of each of the vectors; makes arrays of its shape.
        folds: How each of these is folded.
        vectors: `[len(tensors)]` each.
        small: Arrays of at most so many elements may be packed.

    Returns:
        A vector `[len(tensors)]` per fold: of a count `int32`, of a sum the widest dtype of what was
        added up, else `float32`.
    """
    if not (tensors and folds):
        return []
    # XLA looks into a branch, and rounds the update differently for what becomes of its gradients.
    held = jax.lax.optimization_barrier(list(tensors))
    together, order = groups(packs([*map(_kind, held)], small))
    fold = _Fold(elements, folds)
    parts = [
        fold.of([held[i] for i in group], [v[np.array(group)] for v in vectors])
        for group in together
    ]
    columns = [
        jnp.concatenate([x if how == "sum" else x.astype(_DTYPES[how]) for x in column])
        for how, column in zip(folds, zip(*parts, strict=True), strict=True)
    ]
    return [column[order] for column in columns] if len(order) else columns


def _kind(x: Any) -> Kind:
    # To pack arrays that are split over devices would be to put them together.
    return 0 if splits_variables() else x.size, x.dtype


@dataclass(frozen=True)
class _Fold:
    elements: Callable[..., list[Any]]
    folds: Sequence[str]

    def of(self, arrays: Sequence[Any], vectors: Sequence[Any]) -> list[Any]:
        if len(arrays) > 1:
            return self._packed(arrays, vectors)
        return [x.reshape(1) for x in self._alone(arrays[0], [v[0] for v in vectors])]

    def _alone(self, x: Any, scalars: Sequence[Any]) -> list[Any]:
        if not x.size:
            return [jnp.zeros((), "int32" if how == "count" else "float32") for how in self.folds]
        elements = self.elements(x, *scalars)
        numbers = self._each(_number, elements)
        return self._each(_found, self._reduced(numbers, tuple(range(x.ndim))), elements)

    def _packed(self, arrays: Sequence[Any], vectors: Sequence[Any]) -> list[Any]:
        packing = Packing.of(tuple(x.size for x in arrays))
        elements = self.elements(
            _pack(packing, arrays), *(v[packing.owners, None] for v in vectors)
        )
        numbers = self._each(_number, elements)
        starts = self._each(_start, numbers)
        is_filled = jnp.arange(packing.width) < packing.filled[:, None]
        whole = [jnp.where(is_filled, x, start) for x, start in zip(numbers, starts, strict=True)]
        rows = zip(self._reduced(whole, (1,)), starts, strict=True)
        by_array = [jnp.append(column, start)[packing.rows] for column, start in rows]
        return self._each(_found, self._reduced(by_array, (1,)), elements)

    def _each(self, function: Callable[..., Any], *lists: Sequence[Any]) -> list[Any]:
        return [function(*each) for each in zip(self.folds, *lists, strict=True)]

    def _reduced(self, numbers: Sequence[Any], axes: tuple[int, ...]) -> Sequence[Any]:
        """One reduction of all, which XLA fuses with what makes them.

        Alone, each would be written to memory first.
        """
        starts = self._each(_start, numbers)
        operations = [_FOLDS[how] for how in self.folds]
        if splits_variables() or not is_traced(numbers[0]):
            # Of a common reduction each result would be exchanged by itself, not all in one go;
            # and where a step runs eagerly, XLA would compile it anew.
            triples = zip(numbers, starts, operations, strict=True)
            return [jax.lax.reduce(x, start, combine, axes) for x, start, combine in triples]

        def combine(left: Sequence[Any], right: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(f(a, b) for f, a, b in zip(operations, left, right, strict=True))

        return jax.lax.reduce(tuple(numbers), tuple(starts), combine, axes)


def _pack(packing: Packing, arrays: Sequence[Any]) -> Any:
    flat = [x.reshape(-1) for x in arrays]
    padded = packing.padded(flat, lambda n: jnp.zeros(n, flat[0].dtype))
    # Without a barrier XLA would choose among them anew for each element of each operation.
    return jax.lax.optimization_barrier(jnp.concatenate(padded).reshape(-1, packing.width))


def _number(how: str, x: Any) -> Any:
    if how == "magnitude":
        return magnitude_bits(x)
    return x.astype(jnp.int32) if how == "count" else x


def _start(how: str, x: Any) -> Any:
    if how in ("count", "sum"):
        return jnp.zeros((), x.dtype)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.asarray(jnp.inf if how == "minimum" else -jnp.inf, x.dtype)
    limits = jnp.iinfo(x.dtype)
    return jnp.asarray(limits.max if how == "minimum" else limits.min, x.dtype)


def _found(how: str, number: Any, element: Any) -> Any:
    return jax.lax.bitcast_convert_type(number, element.dtype) if how == "magnitude" else number


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = INTEGERS[x.dtype.itemsize]
    return jax.lax.bitcast_convert_type(x, integer) & jnp.iinfo(integer).max


def fast_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    # At every step: to copy an array must be nothing beside the kernel that it saves.
    [sums] = reduce_elements(tensors, lambda x: [jnp.square(to_float32(x))], ["sum"], small=2**12)
    return jnp.sqrt(sums).astype(jnp.float32)


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`; 0 for an empty tensor."""
    [sums] = reduce_elements(tensors, lambda x: [to_float32(x)], ["sum"])
    return (sums / np.array([max(1, x.size) for x in tensors], sums.dtype)).astype(jnp.float32)
