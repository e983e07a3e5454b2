"""TensorFlow: state is held in variables that the traced step captures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from keras_l4.backend.replicas import own_copy
from keras_l4.backend.tensorflow_gradients import flat
from keras_l4.backend.tensorflow_ring import Ring, write

_LONG_SUM = 2**14
_INTEGERS = {2: tf.int16, 4: tf.int32, 8: tf.int64}
_FOLDS: dict[str, Callable[[Any], Any]] = {
    "count": lambda mask: tf.reduce_sum(tf.cast(mask, tf.int64)),
    "maximum": tf.reduce_max,
    "minimum": tf.reduce_min,
}


def known(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: only on the device."""
    return flag


def every(mask: Any) -> Any:
    """Whether all of it is true."""
    return tf.reduce_all(mask)


def cond(predicate: Any, true: Callable[[], Any], false: Callable[[], Any]) -> Any:
    """`true()` or `false()`, which give the same shapes."""
    return tf.cond(predicate, true, false)


def unless(flag: Any, update: Callable[[], None], variables: Sequence[Any]) -> None:
    """Runs `update`, which assigns to these variables, unless `flag`.

    It is always run, and undone: within a branch TensorFlow might round it differently, and
    replicas could not meet.
    """
    copies = [own_copy(v) for v in variables]
    before = [tf.identity(v) for v in copies]
    update()

    def undo() -> list[Any]:
        for variable, value in zip(copies, before, strict=True):
            variable.assign(value)
        return [tf.constant(0)]

    _cond(flag, undo, lambda: [tf.constant(0)])


def constant(array: np.ndarray, like: Any) -> Any:
    """A tensor of `array` where `like` is."""
    return tf.constant(array)


def value(variable: Any, xla: bool) -> Any:
    """The variable's tensor as it is now."""
    return flat(tf.convert_to_tensor(variable), xla)


def snapshot(wanted: Any, variables: Sequence[Any], xla: bool) -> list[Any]:
    """The variables as they are now, where `wanted`; anything otherwise.

    A tensor that is held across an assignment makes TensorFlow copy the variable. A branch that
    is not taken returns empty tensors instead, which XLA's static shapes do not allow.
    """
    if wanted is True or xla or tf.executing_eagerly():
        return [tf.identity(value(v, xla)) for v in variables]
    empty = [tf.zeros((0,) * len(v.shape), v.dtype) for v in variables]
    taken = _cond(wanted, lambda: [tf.identity(v) for v in variables], lambda: empty)
    return [tf.ensure_shape(x, [None] * len(x.shape)) for x in taken]


def branch(
    wanted: Any,
    measure: Callable[[], tuple[Sequence[Any], Any]],
    otherwise: Callable[[], Sequence[Any]],
    samples: Ring,
    index: Any,
) -> Sequence[Any]:
    """`measure()` where `wanted`, its sample written to `samples[index]`; else `otherwise()`."""

    def taken() -> Sequence[Any]:
        measured, sample = measure()
        write(samples, index, sample)
        return measured

    return _cond(wanted, taken, otherwise)


def _cond(predicate: Any, taken: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """`tf.cond` that stays one operation.

    TensorFlow would inline the branches, with a switch on each of the hundreds of tensors that
    they read, to be run at every step. No argument of `tf.cond` says not to.
    """
    outputs = tf.cond(predicate, taken, otherwise)
    if not tf.executing_eagerly():
        operation = tf.nest.flatten(outputs)[0].op.inputs[0].op
        operation._set_attr("_lower_using_switch_merge", AttrValue(b=False))
    return outputs


def widen(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


def cheap_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    # One kernel a tensor: kernels are what costs on the CPU.
    halves = [tf.nn.l2_loss(_summable(x)) for x in tensors]
    if all(half.dtype == tf.float32 for half in halves):
        return tf.sqrt(2 * tf.stack(halves))
    return tf.stack([tf.cast(tf.sqrt(2 * half), tf.float32) for half in halves])


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`; 0 for an empty tensor."""
    return tf.stack([_or_zero(x, _mean) for x in tensors])


def _mean(x: Any) -> Any:
    return tf.cast(tf.reduce_mean(_summable(x)), tf.float32)


def _summable(x: Any) -> Any:
    """XLA, for which tensors are flat, adds up one after the other, which loses digits."""
    wide = widen(x)
    long = len(x.shape) == 1 and (x.shape.num_elements() or 0) > _LONG_SUM
    return tf.cast(wide, tf.float64) if long else wide


def maximum(x: Any) -> Any:
    """Largest element; NaN where there is one, 0 for an empty tensor."""
    return _or_zero(x, _largest)


def _largest(x: Any) -> Any:
    # No constant NaN: `tf.debugging.enable_check_numerics` would find it.
    return tf.reduce_max(x) + tf.reduce_sum(tf.where(tf.math.is_nan(x), x, tf.zeros_like(x)))


def _or_zero(x: Any, reduction: Callable[[Any], Any]) -> Any:
    if x.shape.num_elements() == 0:
        return reduction(tf.zeros((1,), x.dtype))
    reduced = reduction(x)
    if x.shape.num_elements():
        return reduced
    return tf.where(tf.size(x) > 0, reduced, tf.zeros((), reduced.dtype))


def fold(elements: Sequence[Any], folds: Sequence[str]) -> list[Any]:
    """Tensors of one size, each to a scalar; 0 for an empty one."""
    return [_or_zero(x, _FOLDS[how]) for x, how in zip(elements, folds, strict=True)]


def from_bits(bits: Any, like: Any) -> Any:
    """The number in float32 of which these are the bits, in the dtype of `like`."""
    return tf.cast(tf.bitcast(bits, like.dtype), tf.float32)


def is_nan(x: Any) -> Any:
    return tf.math.is_nan(x)


def is_inf(x: Any) -> Any:
    return tf.math.is_inf(x)


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = _INTEGERS[x.dtype.size]
    return tf.bitwise.bitwise_and(tf.bitcast(x, integer), integer.max)


def strided_sample(x: Any, stride: int, size: int) -> Any:
    """Every `stride`-th element in float32, `[size]`.

    Of a gradient that is sparse or missing, the elements that are left out are zeros at the end.
    """
    sample = tf.cast(tf.reshape(x, [-1])[::stride], tf.float32)
    padded = tf.pad(sample, [[0, size - tf.size(sample)]])
    return tf.ensure_shape(padded, [size])
