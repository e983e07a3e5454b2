"""Reductions on JAX.

XLA compiles each operation on each array, and allocates memory for each at every step. Small arrays
are therefore packed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from keras_l4.backend.common.grouping import group_by_key
from keras_l4.backend.common.packing import Packing, SizeAndDtype, pack_keys
from keras_l4.backend.interface import Tensor
from keras_l4.backend.jax.arrays import INTEGER_DTYPES, is_traced, splits_variables, to_bits
from keras_l4.backend.jax.core import to_float32

# Arrays of at most so many elements are packed.
_MAX_PACKED_SIZE = 2**14
# This limit applies to norms, which are computed at every step: a packed array is copied.
_MAX_PACKED_SIZE_OF_NORMS = 2**12
_OPERATIONS = {
    "count": jax.lax.add,
    "max_abs": jax.lax.max,
    "maximum": jax.lax.max,
    "minimum": jax.lax.min,
    "sum": jax.lax.add,
}
_RESULT_DTYPES = {
    "count": "int32",
    "max_abs": "float32",
    "maximum": "float32",
    "minimum": "float32",
}


def reduce_elements(
    tensors: Sequence[Tensor],
    map_elements: Callable[..., list[Tensor]],
    reductions: Sequence[str],
    *vectors: Tensor,
) -> list[Tensor]:
    return _reduce_by_groups(
        tensors, ElementReduction(map_elements, reductions), vectors, _MAX_PACKED_SIZE
    )


def magnitude_bits(x: Tensor) -> Tensor:
    return to_bits(x) & jnp.iinfo(INTEGER_DTYPES[x.dtype.itemsize]).max


def fast_norms(tensors: Sequence[Tensor]) -> Tensor:
    squares = ElementReduction(lambda x: [jnp.square(to_float32(x))], ["sum"])
    [sums] = _reduce_by_groups(tensors, squares, (), _MAX_PACKED_SIZE_OF_NORMS)
    return jnp.sqrt(sums).astype(jnp.float32)


def means(tensors: Sequence[Tensor]) -> Tensor:
    [sums] = reduce_elements(tensors, lambda x: [to_float32(x)], ["sum"])
    return (sums / np.array([max(1, x.size) for x in tensors], sums.dtype)).astype(jnp.float32)


@dataclass(frozen=True)
class ElementReduction:
    """Maps the elements of arrays, and reduces what results.

    Attributes:
        map_elements: See `Reductions.reduce_elements`.
        reductions: See `Reductions.reduce_elements`.
    """

    map_elements: Callable[..., list[Tensor]]
    reductions: Sequence[str]

    def reduce_group(self, arrays: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[Tensor]:
        """Reduces a pack of arrays, or a single array; returns `[len(arrays)]` per reduction."""
        if len(arrays) > 1:
            return self._reduce_pack(arrays, vectors)
        return [x.reshape(1) for x in self._reduce_array(arrays[0], [v[0] for v in vectors])]

    def _reduce_array(self, x: Tensor, scalars: Sequence[Tensor]) -> list[Tensor]:
        if not x.size:
            return [
                jnp.zeros((), "int32" if reduction == "count" else "float32")
                for reduction in self.reductions
            ]
        mapped = self.map_elements(x, *scalars)
        operands = self._for_each(_to_operand, mapped)
        return self._for_each(_to_result, self._reduce_axes(operands, tuple(range(x.ndim))), mapped)

    def _reduce_pack(self, arrays: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[Tensor]:
        packing = Packing.of_sizes(tuple(x.size for x in arrays))
        columns = [v[packing.row_owner, None] for v in vectors]
        mapped = self.map_elements(_pack(packing, arrays), *columns)
        operands = self._for_each(_to_operand, mapped)
        identities = self._for_each(_identity_element, operands)
        is_element = jnp.arange(packing.width) < packing.row_length[:, None]
        masked = [
            jnp.where(is_element, x, identity)
            for x, identity in zip(operands, identities, strict=True)
        ]
        rows = zip(self._reduce_axes(masked, (1,)), identities, strict=True)
        # `tensor_rows` points one past the last row where an array has fewer rows than the largest.
        by_array = [jnp.append(column, identity)[packing.tensor_rows] for column, identity in rows]
        return self._for_each(_to_result, self._reduce_axes(by_array, (1,)), mapped)

    def _for_each(self, function: Callable[..., Tensor], *lists: Sequence[Tensor]) -> list[Tensor]:
        return [function(*args) for args in zip(self.reductions, *lists, strict=True)]

    def _reduce_axes(self, operands: Sequence[Tensor], axes: tuple[int, ...]) -> Sequence[Tensor]:
        """Reduces all operands in one `jax.lax.reduce`, which XLA fuses with what computes them.

        XLA would write the operand of a reduction of its own to memory first.
        """
        identities = self._for_each(_identity_element, operands)
        operations = [_OPERATIONS[reduction] for reduction in self.reductions]
        if splits_variables() or not is_traced(operands[0]):
            # Devices would exchange each result of a common reduction by itself rather than all
            # together. In a step that runs eagerly, XLA would compile a new `combine` at every call.
            triples = zip(operands, identities, operations, strict=True)
            return [jax.lax.reduce(x, start, operation, axes) for x, start, operation in triples]

        def combine(left: Sequence[Tensor], right: Sequence[Tensor]) -> tuple[Tensor, ...]:
            return tuple(f(a, b) for f, a, b in zip(operations, left, right, strict=True))

        return jax.lax.reduce(tuple(operands), tuple(identities), combine, axes)


def _reduce_by_groups(
    tensors: Sequence[Tensor],
    reduction: ElementReduction,
    vectors: Sequence[Tensor],
    max_packed_size: int,
) -> list[Tensor]:
    if not (tensors and reduction.reductions):
        return []
    # XLA looks into branches. Without the barrier, it rounds the update of the optimizer differently
    # according to what a branch computes from the gradients.
    arrays = jax.lax.optimization_barrier(list(tensors))
    groups, order = group_by_key(pack_keys([*map(_size_and_dtype, arrays)], max_packed_size))
    parts = [
        reduction.reduce_group([arrays[i] for i in group], [v[np.array(group)] for v in vectors])
        for group in groups
    ]
    columns = [
        jnp.concatenate([x if name == "sum" else x.astype(_RESULT_DTYPES[name]) for x in column])
        for name, column in zip(reduction.reductions, zip(*parts, strict=True), strict=True)
    ]
    return [column[order] for column in columns] if len(order) else columns


def _size_and_dtype(x: Tensor) -> SizeAndDtype:
    # Size 0 says "not packed": to pack arrays that are split over devices, XLA would gather them.
    return 0 if splits_variables() else x.size, x.dtype


def _pack(packing: Packing, arrays: Sequence[Tensor]) -> Tensor:
    vectors = [x.reshape(-1) for x in arrays]
    padded = packing.pad(vectors, lambda n: jnp.zeros(n, vectors[0].dtype))
    # Without the barrier, XLA would fuse the concatenation into every operation on the pack, which
    # then selects the array of each element anew.
    return jax.lax.optimization_barrier(jnp.concatenate(padded).reshape(-1, packing.width))


def _to_operand(reduction: str, mapped: Tensor) -> Tensor:
    if reduction == "max_abs":
        return magnitude_bits(mapped)
    return mapped.astype(jnp.int32) if reduction == "count" else mapped


def _identity_element(reduction: str, operand: Tensor) -> Tensor:
    dtype = operand.dtype
    if reduction in ("count", "sum"):
        return jnp.zeros((), dtype)
    if jnp.issubdtype(dtype, jnp.floating):
        return jnp.asarray(jnp.inf if reduction == "minimum" else -jnp.inf, dtype)
    limits = jnp.iinfo(dtype)
    return jnp.asarray(limits.max if reduction == "minimum" else limits.min, dtype)


def _to_result(reduction: str, reduced: Tensor, mapped: Tensor) -> Tensor:
    is_bits = reduction == "max_abs"
    return jax.lax.bitcast_convert_type(reduced, mapped.dtype) if is_bits else reduced
