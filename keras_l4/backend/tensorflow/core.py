"""Control flow, reads of variables and elementwise operations on TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from keras_l4.backend.interface import Array, Function, Ring, Tensor, Variable, WeightBuffer
from keras_l4.backend.tensorflow import ring_buffer
from keras_l4.backend.tensorflow.replicas import local_value
from keras_l4.backend.tensorflow.xla import flatten_for_xla

# The sum of a longer vector is computed in float64.
_MAX_FLOAT32_SUM_SIZE = 2**14


def no_grad(function: Function) -> Function:
    # Nothing to do: Keras applies the optimizer outside of its `GradientTape`.
    return function


def to_flag(flag: Tensor) -> Tensor:
    return flag


def logical_or(a: Any, b: Any) -> Tensor:
    return a | b


def all_true(mask: Tensor) -> Tensor:
    return tf.reduce_all(mask)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """See `Core.cond`. The `tf.cond` stays one operation.

    By default TensorFlow inlines both branches, with a switch for each of the hundreds of tensors
    that they read, which all run at every step. `tf.cond` has no argument against that.
    """
    outputs = tf.cond(pred, true_fn, false_fn)
    if not tf.executing_eagerly():
        operation = tf.nest.flatten(outputs)[0].op.inputs[0].op
        operation._set_attr("_lower_using_switch_merge", AttrValue(b=False))
    return outputs


def cond_with_row(
    pred: Any,
    true_fn: Callable[[], tuple[Sequence[Tensor], Tensor]],
    false_fn: Callable[[], Sequence[Tensor]],
    ring: Ring,
    index: Any,
) -> Sequence[Tensor]:
    def write_row() -> Sequence[Tensor]:
        outputs, row = true_fn()
        ring_buffer.write(ring, index, row)
        return outputs

    return cond(pred, write_row, false_fn)


def apply_unless(
    should_skip: Any, update: Callable[[], None], variables: Sequence[Variable]
) -> None:
    """See `Core.apply_unless`. The update always runs, and a branch undoes it.

    TensorFlow may round an update in a branch differently, and replicas could not synchronize in it.
    """
    values = [local_value(v) for v in variables]
    copies = [tf.identity(v) for v in values]
    update()

    def undo() -> list[Tensor]:
        for value, copy in zip(values, copies, strict=True):
            value.assign(copy)
        return [tf.constant(0)]

    cond(should_skip, undo, lambda: [tf.constant(0)])


def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return tf.where(condition, x, y)


def constant(array: Array, like: Tensor) -> Tensor:
    return tf.constant(array)


def read_variable(variable: Any, xla: bool) -> Tensor:
    return flatten_for_xla(tf.convert_to_tensor(variable), xla)


def read_counter(counter: Variable) -> Tensor:
    return tf.identity(counter)


def snapshot_variables(
    is_sampled: Any,
    variables: Sequence[Variable],
    xla: bool,
    weight_buffer: WeightBuffer | None = None,
) -> Callable[[], list[Tensor]]:
    """See `Core.snapshot_variables`. In a graph, copies are made in a branch, in float32 or wider.

    TensorFlow copies a variable whose value is read before an assignment and used after it, at every
    step. The branch that is not taken returns an empty tensor instead, which the static shapes of
    XLA do not allow. It is one tensor for all variables, since each costs time at every step.
    """
    if is_sampled is True or xla or tf.executing_eagerly():
        copies = [tf.identity(read_variable(v, xla)) for v in variables]
        return lambda: copies
    dtype = tf.float64 if any(v.dtype == "float64" for v in variables) else tf.float32
    vector = cond(is_sampled, lambda: _concat(variables, dtype), lambda: tf.zeros((0,), dtype))
    return lambda: _split(vector, [v.shape for v in variables])


def _concat(variables: Sequence[Variable], dtype: Any) -> Tensor:
    return tf.concat([tf.reshape(tf.cast(v, dtype), [-1]) for v in variables], 0)


def _split(vector: Tensor, shapes: Sequence[Any]) -> list[Tensor]:
    sizes = [math.prod(shape) for shape in shapes]
    parts = tf.split(tf.ensure_shape(vector, [sum(sizes)]), sizes)
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


def optimization_barrier(x: Tensor) -> Tensor:
    # Nothing to do: the reordering for which JAX needs the barrier was not observed here.
    return x


def to_float32(x: Tensor) -> Tensor:
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


def to_accumulation_dtype(x: Tensor) -> Tensor:
    # Under XLA, where tensors are flat, the elements of a vector are added one after the other.
    x32 = to_float32(x)
    is_long = x.shape.rank == 1 and (x.shape.num_elements() or 0) > _MAX_FLOAT32_SUM_SIZE
    return tf.cast(x32, tf.float64) if is_long else x32


def subtract_in_float32(x: Tensor, y: Tensor) -> Tensor:
    # `snapshot_variables` may have widened `y`, but not `x`.
    y32 = to_float32(y)
    return tf.cast(x, y32.dtype) - y32


def is_nan(x: Tensor) -> Tensor:
    return tf.math.is_nan(x)


def is_inf(x: Tensor) -> Tensor:
    return tf.math.is_inf(x)


def strided_sample(x: Tensor, stride: int, size: int) -> Tensor:
    vector = tf.reshape(x, [-1])
    sample = tf.cast(vector[::stride] if stride > 1 else vector, tf.float32)
    if sample.shape.num_elements() == size:
        return sample
    padded = tf.pad(sample, [[0, size - tf.size(sample)]])
    return tf.ensure_shape(padded, [size])
