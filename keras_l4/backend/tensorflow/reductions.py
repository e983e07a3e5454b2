"""Reductions on TensorFlow.

Tracing an operation takes longer than many training steps. Small vectors are therefore packed, and
in a graph the reduction of all other tensors of a dtype is one function, which is traced once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from keras_l4.backend.common.grouping import group_by_key
from keras_l4.backend.common.packing import Packing, SizeAndDtype, pack_keys
from keras_l4.backend.interface import Tensor
from keras_l4.backend.tensorflow.core import to_accumulation_dtype

# Vectors of at most so many elements are packed.
_MAX_PACKED_SIZE = 2**17
# This limit applies to norms, which are computed at every step: a packed tensor is copied.
_MAX_PACKED_SIZE_OF_NORMS = 2**12
_INTEGER_DTYPES = {2: tf.int16, 4: tf.int32, 8: tf.int64}
_OPERATIONS = {
    "count": tf.reduce_sum,
    "max_abs": tf.reduce_max,
    "maximum": tf.reduce_max,
    "minimum": tf.reduce_min,
    "sum": tf.reduce_sum,
}
ReduceTensor: TypeAlias = Callable[..., Sequence[Tensor]]
"""Called with a tensor and its scalar from each vector; returns one scalar per reduction."""


def reduce_elements(
    tensors: Sequence[Tensor],
    map_elements: Callable[..., list[Tensor]],
    reductions: Sequence[str],
    *vectors: Tensor,
) -> list[Tensor]:
    reduction = ElementReduction(map_elements, reductions)
    reduce_tensor = (
        reduction.reduce if tf.executing_eagerly() else _traced_once_per_dtype(reduction.reduce)
    )
    return _reduce_by_groups(
        tensors, functools.partial(_reduce_or_zero, reduce_tensor), reduction, vectors
    )


def magnitude_bits(x: Tensor) -> Tensor:
    integer = _INTEGER_DTYPES[x.dtype.size]
    return tf.bitwise.bitwise_and(tf.bitcast(x, integer), integer.max)


def fast_norms(tensors: Sequence[Tensor]) -> Tensor:
    [halves] = _reduce_by_groups(
        [to_accumulation_dtype(x) for x in tensors],
        # One kernel per tensor; the number of kernels is what counts on the CPU. It gives Σx² / 2.
        lambda x: [tf.nn.l2_loss(x)],
        ElementReduction(lambda x: [tf.square(x) / 2], ["sum"]),
        max_packed_size=_MAX_PACKED_SIZE_OF_NORMS,
    )
    return tf.cast(tf.sqrt(2 * halves), tf.float32)


def means(tensors: Sequence[Tensor]) -> Tensor:
    [sums] = reduce_elements([to_accumulation_dtype(x) for x in tensors], lambda x: [x], ["sum"])
    sizes = [max(1, x.shape.num_elements()) for x in tensors]
    return tf.cast(sums / tf.constant(sizes, sums.dtype), tf.float32)


@dataclass(frozen=True)
class ElementReduction:
    """Maps the elements of tensors, and reduces what results.

    Attributes:
        map_elements: See `Reductions.reduce_elements`.
        reductions: See `Reductions.reduce_elements`.
    """

    map_elements: Callable[..., list[Tensor]]
    reductions: Sequence[str]

    def reduce(self, x: Tensor, *scalars: Tensor) -> list[Tensor]:
        """Reduces one tensor; returns one scalar per reduction."""
        mapped = self.map_elements(tf.reshape(x, [-1]), *scalars)
        return [
            _to_result(reduction, _OPERATIONS[reduction](_to_operand(reduction, y)), y.dtype)
            for reduction, y in zip(self.reductions, mapped, strict=True)
        ]

    def reduce_pack(self, tensors: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[Tensor]:
        """Reduces vectors of one dtype together; returns `[len(tensors)]` per reduction."""
        packing = Packing.of_sizes(tuple(x.shape.num_elements() for x in tensors))
        padded = packing.pad(tensors, lambda n: tf.zeros((n,), tensors[0].dtype))
        pack = tf.reshape(tf.concat(padded, 0), [-1, packing.width])
        columns = [tf.gather(v, packing.row_owner)[:, None] for v in vectors]
        mapped = self.map_elements(pack, *columns)
        return [
            _reduce_rows(packing, reduction, y)
            for reduction, y in zip(self.reductions, mapped, strict=True)
        ]


def _reduce_by_groups(
    tensors: Sequence[Tensor],
    reduce_tensor: ReduceTensor,
    reduction: ElementReduction,
    vectors: Sequence[Tensor] = (),
    max_packed_size: int = _MAX_PACKED_SIZE,
) -> list[Tensor]:
    """Applies `reduction` to packs of small tensors and `reduce_tensor` to each other tensor."""
    if not tensors or not reduction.reductions:
        return []
    groups, order = group_by_key(pack_keys([*map(_size_and_dtype, tensors)], max_packed_size))
    parts = [
        reduction.reduce_pack([tensors[i] for i in pack], [tf.gather(v, pack) for v in vectors])
        for pack in groups
        if len(pack) > 1
    ]
    if single := [group[0] for group in groups if len(group) == 1]:
        scalars = [tf.unstack(tf.gather(v, single)) for v in vectors]
        rows = [reduce_tensor(tensors[i], *own) for i, *own in zip(single, *scalars, strict=True)]
        parts.append([tf.stack(_to_one_dtype(column)) for column in zip(*rows, strict=True)])
    columns = [tf.concat(_to_one_dtype(column), 0) for column in zip(*parts, strict=True)]
    return [tf.gather(column, order) for column in columns] if len(order) else columns


def _to_one_dtype(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Casts all to float64 if one is: the sums of long vectors are wider than the others."""
    has_float64 = any(x.dtype == tf.float64 for x in tensors)
    return [tf.cast(x, tf.float64) for x in tensors] if has_float64 else tensors


def _size_and_dtype(x: Tensor) -> SizeAndDtype:
    # Only vectors are packed, size 0 says "not packed". XLA compiles each operation on each tensor,
    # and there `flatten_for_xla` has made all of them vectors. Without XLA the other tensors would
    # have to be flattened first, which costs what packing saves.
    return (x.shape.num_elements() or 0) if x.shape.rank == 1 else 0, x.dtype


def _reduce_rows(packing: Packing, reduction: str, mapped: Tensor) -> Tensor:
    operand = _to_operand(reduction, mapped)
    identity = _identity_element(reduction, operand.dtype)
    is_element = tf.sequence_mask(packing.row_length, packing.width)
    rows = _OPERATIONS[reduction](tf.where(is_element, operand, identity), 1)
    # `tensor_rows` points one past the last row where a tensor has fewer rows than the largest.
    by_tensor = tf.gather(tf.concat([rows, [identity]], 0), packing.tensor_rows)
    return _to_result(reduction, _OPERATIONS[reduction](by_tensor, 1), mapped.dtype)


def _to_operand(reduction: str, mapped: Tensor) -> Tensor:
    if reduction == "max_abs":
        return magnitude_bits(mapped)
    return tf.cast(mapped, tf.int64) if reduction == "count" else mapped


def _identity_element(reduction: str, dtype: Any) -> Tensor:
    if reduction in ("count", "sum"):
        return tf.zeros((), dtype)
    if dtype.is_floating:
        return tf.constant(np.inf if reduction == "minimum" else -np.inf, dtype)
    return tf.constant(dtype.max if reduction == "minimum" else dtype.min, dtype)


def _to_result(reduction: str, reduced: Tensor, mapped_dtype: Any) -> Tensor:
    if reduction == "max_abs":
        reduced = tf.bitcast(reduced, mapped_dtype)
    if reduction == "sum":
        return reduced
    return tf.cast(reduced, tf.int32 if reduction == "count" else tf.float32)


def _traced_once_per_dtype(function: ReduceTensor) -> ReduceTensor:
    @functools.cache
    def trace(dtype: Any, *scalar_dtypes: Any) -> Any:
        # No shape: one trace for tensors of all sizes.
        signature = [tf.TensorSpec(None, dtype), *(tf.TensorSpec([], d) for d in scalar_dtypes)]
        return tf.function(function, input_signature=signature, autograph=False)

    return lambda *args: trace(*(x.dtype for x in args))(*args)


def _reduce_or_zero(reduce_tensor: ReduceTensor, x: Tensor, *scalars: Tensor) -> Sequence[Tensor]:
    reduced = reduce_tensor(x, *scalars)
    size = x.shape.num_elements()
    if size:
        return reduced
    if size == 0:
        return [tf.zeros((), y.dtype) for y in reduced]
    is_empty = tf.equal(tf.size(x), 0)
    return [tf.where(is_empty, tf.zeros((), y.dtype), y) for y in reduced]
