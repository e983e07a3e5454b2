"""TensorFlow: gradients read in such a way that the update is computed as if nobody read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops
from tensorflow.core.framework.attr_value_pb2 import AttrValue

_REGROUPED = {"Add", "AddN", "AddV2", "Mul"}


def dense_gradient(gradient: Any, xla: bool) -> Any:
    """The gradient as a dense tensor; of a sparse one the rows that occur, repetitions summed."""
    if xla or not is_sparse(gradient):
        return flat(_apart(tf.convert_to_tensor(gradient), xla), xla)
    rows, positions = tf.unique(gradient.indices)
    return tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))


def _apart(gradient: Any, xla: bool) -> Any:
    """The same, computed once more where it is a sum or a product.

    TensorFlow regroups chains of these, of which nobody else reads what is in between: were the
    gradient of the update read here too, the update would be rounded differently. The attribute
    keeps it from making one of the two. XLA fuses them, with the same consequence.
    """
    if tf.executing_eagerly() or gradient.op.type not in _REGROUPED:
        return gradient
    operation = gradient.op
    inputs = [_apart(x, xla) for x in operation.inputs]
    if xla:
        inputs = _held(inputs)
    attributes = dict(operation.node_def.attr) | {"_keras_l4": AttrValue(b=True)}
    return gradient.graph.create_op(
        operation.type, inputs, [gradient.dtype], name="keras_l4", attrs=attributes
    ).outputs[0]


def is_sparse(gradient: Any) -> bool:
    return isinstance(gradient, tf.IndexedSlices)


def flat(x: Any, xla: bool) -> Any:
    """The tensor; under XLA as a vector."""
    # XLA moves reshapes through the update, and looks into branches. A matrix that has to stand in
    # memory to be measured would pin one, and the update be rounded differently.
    return _held([tf.reshape(x, [-1])])[0] if xla else x


def _held(tensors: Sequence[Any]) -> Any:
    """The tensors; XLA does not see what becomes of them."""
    # There is no public name for it.
    return gen_xla_ops.xla_optimization_barrier(list(tensors))
