"""TensorFlow: state is held in variables that the traced step captures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from keras_l4.backend.replicas import own_copy
from keras_l4.backend.tensorflow_folds import folded, folded_alone_by
from keras_l4.backend.tensorflow_gradients import flat
from keras_l4.backend.tensorflow_ring import Ring, write

# Norms of up to so many elements are taken together, and sums of more are taken in float64.
_SHORT, _LONG = 2**12, 2**14


_Measure = TypeVar("_Measure", bound=Callable[..., Any])


def underived(measure: _Measure) -> _Measure:
    """Decorates what measures: nothing to do."""
    return measure


def known(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: only on the device."""
    return flag


def either(a: Any, b: Any) -> Any:
    """Whether one of the flags is true."""
    return a | b


def every(mask: Any) -> Any:
    """Whether all of it is true."""
    return tf.reduce_all(mask)


def cond(predicate: Any, true: Callable[[], Any], false: Callable[[], Any]) -> Any:
    """`true()` or `false()`, which give the same shapes: a `tf.cond` that stays one operation.

    TensorFlow would inline the branches, with a switch on each of the hundreds of tensors that
    they read, to be run at every step. No argument of `tf.cond` says not to.
    """
    outputs = tf.cond(predicate, true, false)
    if not tf.executing_eagerly():
        operation = tf.nest.flatten(outputs)[0].op.inputs[0].op
        operation._set_attr("_lower_using_switch_merge", AttrValue(b=False))
    return outputs


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

    cond(flag, undo, lambda: [tf.constant(0)])


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, else `y`."""
    return tf.where(condition, x, y)


def constant(array: np.ndarray, like: Any) -> Any:
    """A tensor of `array` where `like` is."""
    return tf.constant(array)


def value(variable: Any, xla: bool) -> Any:
    """The variable's tensor as it is now."""
    return flat(tf.convert_to_tensor(variable), xla)


def counted(counter: Any) -> Any:
    """A counter as it is now."""
    return tf.identity(counter)


def snapshot(
    wanted: Any, variables: Sequence[Any], xla: bool, kept: None = None
) -> Callable[[], list[Any]]:
    """Gives the variables as they are now, in float32 or better; to be called where `wanted`.

    A tensor that is held across an assignment makes TensorFlow copy the variable. A branch that
    is not taken returns an empty tensor instead, which XLA's static shapes do not allow; it is one
    for all variables, since each costs something at every step.
    """
    if wanted is True or xla or tf.executing_eagerly():
        held = [tf.identity(value(v, xla)) for v in variables]
        return lambda: held
    dtype = tf.float64 if any(v.dtype == "float64" for v in variables) else tf.float32
    whole = cond(wanted, lambda: _joined(variables, dtype), lambda: tf.zeros((0,), dtype))
    return lambda: _parted(whole, [v.shape for v in variables])


def _joined(variables: Sequence[Any], dtype: Any) -> Any:
    return tf.concat([tf.reshape(tf.cast(v, dtype), [-1]) for v in variables], 0)


def _parted(whole: Any, shapes: Sequence[Any]) -> list[Any]:
    sizes = [math.prod(shape) for shape in shapes]
    parts = tf.split(tf.ensure_shape(whole, [sum(sizes)]), sizes)
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


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

    return cond(wanted, taken, otherwise)


def widen(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


def cheap_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    [halves] = folded_alone_by(
        # One kernel a tensor: kernels are what costs on the CPU.
        lambda x: [tf.nn.l2_loss(x)],
        [summable(x) for x in tensors],
        lambda x: [tf.square(x) / 2],
        ["sum"],
        small=_SHORT,
    )
    return tf.cast(tf.sqrt(2 * halves), tf.float32)


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`, of tensors of known shape; 0 for an empty one."""
    [sums] = folded([summable(x) for x in tensors], lambda x: [x], ["sum"])
    sizes = [max(1, x.shape.num_elements()) for x in tensors]
    return tf.cast(sums / tf.constant(sizes, sums.dtype), tf.float32)


def summable(x: Any) -> Any:
    """Float32, or where sums of it would lose digits float64.

    XLA, for which tensors are flat, adds up one after the other.
    """
    wide = widen(x)
    long = x.shape.rank == 1 and (x.shape.num_elements() or 0) > _LONG
    return tf.cast(wide, tf.float64) if long else wide


def difference(x: Any, y: Any) -> Any:
    """The difference x - y, in float32 or better."""
    wide = widen(y)
    return tf.cast(x, wide.dtype) - wide


def is_nan(x: Any) -> Any:
    return tf.math.is_nan(x)


def is_inf(x: Any) -> Any:
    return tf.math.is_inf(x)


def strided_sample(x: Any, stride: int, size: int) -> Any:
    """Every `stride`-th element in float32, `[size]`.

    Of a gradient that is sparse or missing, the elements that are left out are zeros at the end.
    """
    flat = tf.reshape(x, [-1])
    sample = tf.cast(flat[::stride] if stride > 1 else flat, tf.float32)
    if sample.shape.num_elements() == size:
        return sample
    padded = tf.pad(sample, [[0, size - tf.size(sample)]])
    return tf.ensure_shape(padded, [size])
