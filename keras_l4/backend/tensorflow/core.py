"""TensorFlow: state is held in variables that the traced step captures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from keras_l4.backend.tensorflow.distribution import local_value
from keras_l4.backend.tensorflow.gradients import flat
from keras_l4.backend.tensorflow.ring_buffer import Ring, write

# Norms of up to so many elements are taken together, and sums of more are taken in float64.
_SHORT, _LONG = 2**12, 2**14


_Measure = TypeVar("_Measure", bound=Callable[..., Any])


def no_grad(measure: _Measure) -> _Measure:
    """Decorates what measures: nothing to do."""
    return measure


def to_flag(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: only on the device."""
    return flag


def logical_or(a: Any, b: Any) -> Any:
    """Whether one of the flags is true."""
    return a | b


def all_true(mask: Any) -> Any:
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


def apply_unless(flag: Any, update: Callable[[], None], variables: Sequence[Any]) -> None:
    """Runs `update`, which assigns to these variables, unless `flag`.

    It is always run, and undone: within a branch TensorFlow might round it differently, and
    replicas could not meet.
    """
    copies = [local_value(v) for v in variables]
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


def read_variable(variable: Any, xla: bool) -> Any:
    """The variable's tensor as it is now."""
    return flat(tf.convert_to_tensor(variable), xla)


def read_counter(counter: Any) -> Any:
    """A counter as it is now."""
    return tf.identity(counter)


def snapshot_variables(
    wanted: Any, variables: Sequence[Any], xla: bool, kept: None = None
) -> Callable[[], list[Any]]:
    """Gives the variables as they are now, in float32 or better; to be called where `wanted`.

    A tensor that is held across an assignment makes TensorFlow copy the variable. A branch that
    is not taken returns an empty tensor instead, which XLA's static shapes do not allow; it is one
    for all variables, since each costs something at every step.
    """
    if wanted is True or xla or tf.executing_eagerly():
        held = [tf.identity(read_variable(v, xla)) for v in variables]
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


def measure_if(
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


def to_float32(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


def to_accumulation_dtype(x: Any) -> Any:
    """Float32, or where sums of it would lose digits float64.

    XLA, for which tensors are flat, adds up one after the other.
    """
    wide = to_float32(x)
    long = x.shape.rank == 1 and (x.shape.num_elements() or 0) > _LONG
    return tf.cast(wide, tf.float64) if long else wide


def subtract_in_float32(x: Any, y: Any) -> Any:
    """The difference x - y, in float32 or better."""
    wide = to_float32(y)
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


def optimization_barrier(x: Any) -> Any:
    """Returns `x`: this backend needs no barrier."""
    return x
