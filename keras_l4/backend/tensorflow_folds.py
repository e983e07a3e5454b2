"""TensorFlow: counts and extremes over the elements of tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_l4.backend.groups import Kind, groups

SMALL = 2**14
_INTEGERS = {2: tf.int16, 4: tf.int32, 8: tf.int64}


def folded(
    tensors: Sequence[Any], elements: Callable[[Any], list[Any]], folds: Sequence[str]
) -> list[Any]:
    """What `elements` makes of each tensor, folded; 0 for an empty one.

    Returns:
        A vector `[len(tensors)]` per fold, `int32` for a count, else `float32`.
    """
    return each(lambda x, axis=None: _fold(elements(x), folds, axis), tensors)


def _fold(elements: Sequence[Any], folds: Sequence[str], axis: int | None) -> list[Any]:
    return [_FOLDS[how](x, axis) for x, how in zip(elements, folds, strict=True)]


def _count(mask: Any, axis: int | None) -> Any:
    return tf.cast(tf.reduce_sum(tf.cast(mask, tf.int64), axis), tf.int32)


def _magnitude(x: Any, axis: int | None) -> Any:
    largest = tf.reduce_max(magnitude_bits(x), axis)
    return tf.cast(tf.bitcast(largest, x.dtype), tf.float32)


_FOLDS: dict[str, Callable[[Any, int | None], Any]] = {
    "count": _count,
    "magnitude": _magnitude,
    "maximum": lambda x, axis: tf.cast(tf.reduce_max(x, axis), tf.float32),
    "minimum": lambda x, axis: tf.cast(tf.reduce_min(x, axis), tf.float32),
}


def each(
    function: Callable[..., Sequence[Any]], tensors: Sequence[Any], *vectors: Any
) -> list[Any]:
    """The scalars that `function` makes of each tensor, 0 for an empty one: vectors `[len(tensors)]`.

    To trace an operation takes longer than many steps: small tensors of one size go through them
    together, and in a graph `function` is traced once for all others of a dtype, and called.

    Args:
        function: Is given a tensor, and its element of each of the vectors; or with `axis=1`
            several, `[tensors, elements]`, and columns `[tensors, 1]`.
        tensors: The tensors.
        vectors: `[len(tensors)]` each.
    """
    of_one: Callable[..., Any] = function
    of_several: Callable[..., Any] = functools.partial(function, axis=1)
    if not tf.executing_eagerly():
        of_one = _traced_once(lambda x, *rest: function(tf.reshape(x, [-1]), *rest), None, [])
        of_several = _traced_once(of_several, [None, None], [None, 1])
    return grouped(of_several, functools.partial(_or_zero, of_one), tensors, SMALL, vectors)


def grouped(
    of_several: Callable[..., Sequence[Any]],
    of_one: Callable[..., Sequence[Any]],
    tensors: Sequence[Any],
    small: int,
    vectors: Sequence[Any] = (),
) -> list[Any]:
    """What is made of small vectors of one size, `[vectors, elements]`, and of each other tensor."""
    if not tensors:
        return []
    found, order = groups(tuple(_kind(x, small) for x in tensors))
    parts = [
        _of_stack(of_several, [tensors[i] for i in group], [tf.gather(v, group) for v in vectors])
        for group in found
        if len(group) > 1
    ]
    if alone := [group[0] for group in found if len(group) == 1]:
        rest = [tf.unstack(tf.gather(v, alone)) for v in vectors]
        made = [of_one(tensors[i], *elements) for i, *elements in zip(alone, *rest, strict=True)]
        parts.append([tf.stack(column) for column in zip(*made, strict=True)])
    columns = [tf.concat(column, 0) for column in zip(*parts, strict=True)]
    return [tf.gather(column, order) for column in columns] if len(order) else columns


def _kind(x: Any, small: int) -> Kind | None:
    # XLA compiles each operation on each tensor, and for XLA all are vectors. Without it others
    # would have to be made vectors first, which costs what it saves.
    size = x.shape.num_elements()
    return (size, x.dtype) if x.shape.rank == 1 and size and size <= small else None


def _of_stack(
    function: Callable[..., Sequence[Any]], tensors: Sequence[Any], vectors: Sequence[Any]
) -> Sequence[Any]:
    columns = function(tf.stack(tensors), *(v[:, None] for v in vectors))
    for column in columns:
        column.set_shape([len(tensors)])
    return columns


def _traced_once(
    function: Callable[..., Any], shape: list[None] | None, shape_of_rest: list[int | None]
) -> Callable[..., Any]:
    @functools.cache
    def traced(dtype: Any, *rest: Any) -> Any:
        signature = [tf.TensorSpec(shape, dtype), *(tf.TensorSpec(shape_of_rest, d) for d in rest)]
        return tf.function(function, input_signature=signature, autograph=False)

    return lambda *given: traced(*(x.dtype for x in given))(*given)


def _or_zero(function: Callable[..., Any], x: Any, *rest: Any) -> Any:
    if x.shape.num_elements() == 0:
        return function(tf.zeros((1,), x.dtype), *rest)
    made = function(x, *rest)
    if x.shape.num_elements():
        return made
    is_empty = tf.equal(tf.size(x), 0)
    return tf.nest.map_structure(lambda y: tf.where(is_empty, tf.zeros((), y.dtype), y), made)


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = _INTEGERS[x.dtype.size]
    return tf.bitwise.bitwise_and(tf.bitcast(x, integer), integer.max)
