"""TensorFlow: sums, counts and extremes over the elements of tensors.

To trace an operation takes longer than many steps: small vectors go through them together, and in
a graph they are traced once for all others of a dtype, and called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_l4.backend.common.grouping import groups
from keras_l4.backend.common.packing import Kind, Packing, packs
from keras_l4.backend.tensorflow.core import _SHORT, to_accumulation_dtype

_SMALL = 2**17
_INTEGERS = {2: tf.int16, 4: tf.int32, 8: tf.int64}
_REDUCTIONS = {
    "count": tf.reduce_sum,
    "magnitude": tf.reduce_max,
    "maximum": tf.reduce_max,
    "minimum": tf.reduce_min,
    "sum": tf.reduce_sum,
}
Elements = Callable[..., list[Any]]


def reduce_elements(
    tensors: Sequence[Any], elements: Elements, folds: Sequence[str], *vectors: Any
) -> list[Any]:
    """What `elements` makes of each tensor, folded; 0 for an empty one.

    Args:
        tensors: The tensors.
        elements: Is given a tensor, and its element of each of the vectors; makes some of its shape.
        folds: How each of these is folded.
        vectors: `[len(tensors)]` each.

    Returns:
        A vector `[len(tensors)]` per fold: of a count `int32`, of a sum the widest dtype of what was
        added up, else `float32`.
    """

    def alone(x: Any, *own: Any) -> list[Any]:
        return _fold(elements, folds, tf.reshape(x, [-1]), *own)

    fold = alone if tf.executing_eagerly() else _traced_once(alone)
    return folded_alone_by(functools.partial(_or_zero, fold), tensors, elements, folds, vectors)


def folded_alone_by(
    alone: Callable[..., Sequence[Any]],
    tensors: Sequence[Any],
    elements: Elements,
    folds: Sequence[str],
    vectors: Sequence[Any] = (),
    small: int = _SMALL,
) -> list[Any]:
    """The same, with the tensors that are not packed folded by `alone`."""
    if not tensors or not folds:
        return []
    together, order = groups(packs([*map(_kind, tensors)], small))
    parts = [
        _fold_pack(
            elements, folds, [tensors[i] for i in pack], [tf.gather(v, pack) for v in vectors]
        )
        for pack in together
        if len(pack) > 1
    ]
    if rest := [pack[0] for pack in together if len(pack) == 1]:
        scalars = [tf.unstack(tf.gather(v, rest)) for v in vectors]
        found = [alone(tensors[i], *own) for i, *own in zip(rest, *scalars, strict=True)]
        parts.append([tf.stack(_alike(column)) for column in zip(*found, strict=True)])
    columns = [tf.concat(_alike(column), 0) for column in zip(*parts, strict=True)]
    return [tf.gather(column, order) for column in columns] if len(order) else columns


def _alike(numbers: Sequence[Any]) -> Sequence[Any]:
    """The same in one dtype: some sums may be wider than others."""
    wide = [x for x in numbers if x.dtype == tf.float64]
    return [tf.cast(x, tf.float64) for x in numbers] if wide else numbers


def _kind(x: Any) -> Kind:
    # XLA compiles each operation on each tensor, and for XLA all are vectors. Without it others
    # would have to be made vectors first, which costs what it saves.
    return (x.shape.num_elements() or 0) if x.shape.rank == 1 else 0, x.dtype


def _fold(elements: Elements, folds: Sequence[str], x: Any, *scalars: Any) -> list[Any]:
    return [
        _found(how, _REDUCTIONS[how](_number(how, element)), element.dtype)
        for how, element in zip(folds, elements(x, *scalars), strict=True)
    ]


def _fold_pack(
    elements: Elements, folds: Sequence[str], tensors: Sequence[Any], vectors: Sequence[Any]
) -> list[Any]:
    packing = Packing.of(tuple(x.shape.num_elements() for x in tensors))
    spread = [tf.gather(v, packing.owners)[:, None] for v in vectors]
    made = elements(_pack(packing, tensors), *spread)
    return [_fold_rows(packing, how, x) for how, x in zip(folds, made, strict=True)]


def _pack(packing: Packing, tensors: Sequence[Any]) -> Any:
    padded = packing.padded(tensors, lambda n: tf.zeros((n,), tensors[0].dtype))
    return tf.reshape(tf.concat(padded, 0), [-1, packing.width])


def _fold_rows(packing: Packing, how: str, element: Any) -> Any:
    number = _number(how, element)
    start = _start(how, number.dtype)
    is_filled = tf.sequence_mask(packing.filled, packing.width)
    rows = _REDUCTIONS[how](tf.where(is_filled, number, start), 1)
    by_tensor = tf.gather(tf.concat([rows, [start]], 0), packing.rows)
    return _found(how, _REDUCTIONS[how](by_tensor, 1), element.dtype)


def _number(how: str, element: Any) -> Any:
    if how == "magnitude":
        return magnitude_bits(element)
    return tf.cast(element, tf.int64) if how == "count" else element


def _start(how: str, dtype: Any) -> Any:
    if how in ("count", "sum"):
        return tf.zeros((), dtype)
    if dtype.is_floating:
        return tf.constant(np.inf if how == "minimum" else -np.inf, dtype)
    return tf.constant(dtype.max if how == "minimum" else dtype.min, dtype)


def _found(how: str, number: Any, dtype: Any) -> Any:
    if how == "magnitude":
        number = tf.bitcast(number, dtype)
    if how == "sum":
        return number
    return tf.cast(number, tf.int32 if how == "count" else tf.float32)


def _traced_once(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.cache
    def traced(dtype: Any, *rest: Any) -> Any:
        signature = [tf.TensorSpec(None, dtype), *(tf.TensorSpec([], d) for d in rest)]
        return tf.function(function, input_signature=signature, autograph=False)

    return lambda *given: traced(*(x.dtype for x in given))(*given)


def _or_zero(function: Callable[..., Any], x: Any, *rest: Any) -> Any:
    made = function(x, *rest)
    size = x.shape.num_elements()
    if size:
        return made
    if size == 0:
        return [tf.zeros((), y.dtype) for y in made]
    is_empty = tf.equal(tf.size(x), 0)
    return [tf.where(is_empty, tf.zeros((), y.dtype), y) for y in made]


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = _INTEGERS[x.dtype.size]
    return tf.bitwise.bitwise_and(tf.bitcast(x, integer), integer.max)


def fast_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    [halves] = folded_alone_by(
        # One kernel a tensor: kernels are what costs on the CPU.
        lambda x: [tf.nn.l2_loss(x)],
        [to_accumulation_dtype(x) for x in tensors],
        lambda x: [tf.square(x) / 2],
        ["sum"],
        small=_SHORT,
    )
    return tf.cast(tf.sqrt(2 * halves), tf.float32)


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`, of tensors of known shape; 0 for an empty one."""
    [sums] = reduce_elements([to_accumulation_dtype(x) for x in tensors], lambda x: [x], ["sum"])
    sizes = [max(1, x.shape.num_elements()) for x in tensors]
    return tf.cast(sums / tf.constant(sizes, sums.dtype), tf.float32)
