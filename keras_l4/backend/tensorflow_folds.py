"""TensorFlow: counts and extremes over the elements of tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

_INTEGERS = {2: tf.int16, 4: tf.int32, 8: tf.int64}


def folded(
    tensors: Sequence[Any], elements: Callable[[Any], list[Any]], folds: Sequence[str]
) -> list[Any]:
    """What `elements` makes of each tensor, folded; 0 for an empty one.

    Returns:
        A vector `[len(tensors)]` per fold, `int32` for a count, else `float32`.
    """
    return each(lambda x: _fold(elements(x), folds), tensors)


def _fold(elements: Sequence[Any], folds: Sequence[str]) -> list[Any]:
    return [_FOLDS[how](x) for x, how in zip(elements, folds, strict=True)]


def _count(mask: Any) -> Any:
    return tf.cast(tf.reduce_sum(tf.cast(mask, tf.int64)), tf.int32)


def _magnitude(x: Any) -> Any:
    return tf.cast(tf.bitcast(tf.reduce_max(magnitude_bits(x)), x.dtype), tf.float32)


_FOLDS: dict[str, Callable[[Any], Any]] = {
    "count": _count,
    "magnitude": _magnitude,
    "maximum": lambda x: tf.cast(tf.reduce_max(x), tf.float32),
    "minimum": lambda x: tf.cast(tf.reduce_min(x), tf.float32),
}


def each(function: Callable[[Any], Sequence[Any]], tensors: Sequence[Any]) -> list[Any]:
    """The scalars that `function` makes of each tensor, 0 for an empty one: vectors `[len(tensors)]`.

    To trace an operation takes longer than many steps: in a graph `function` is traced once for all
    tensors of a dtype, flat, and called.
    """
    called = function if tf.executing_eagerly() else _traced_once(function)
    columns = zip(*(_or_zero(called, x) for x in tensors), strict=True)
    return [tf.stack(column) for column in columns]


def _traced_once(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.cache
    def traced(dtype: Any) -> Any:
        of_any_shape = [tf.TensorSpec(None, dtype)]
        return tf.function(of_flat, input_signature=of_any_shape, autograph=False)

    def of_flat(x: Any) -> Any:
        return function(tf.reshape(x, [-1]))

    return lambda x: traced(x.dtype)(x)


def _or_zero(function: Callable[[Any], Any], x: Any) -> Any:
    if x.shape.num_elements() == 0:
        return function(tf.zeros((1,), x.dtype))
    made = function(x)
    if x.shape.num_elements():
        return made
    is_empty = tf.equal(tf.size(x), 0)
    return tf.nest.map_structure(lambda y: tf.where(is_empty, tf.zeros((), y.dtype), y), made)


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = _INTEGERS[x.dtype.size]
    return tf.bitwise.bitwise_and(tf.bitcast(x, integer), integer.max)
