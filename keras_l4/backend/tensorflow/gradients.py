"""Gradients on TensorFlow."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from keras_l4.backend.interface import Tensor
from keras_l4.backend.tensorflow.xla import barrier, flatten_for_xla

_REGROUPED_OPERATIONS = {"Add", "AddN", "AddV2", "Mul"}


def dense_gradient(gradient: Tensor, xla: bool) -> Tensor:
    if xla or not is_sparse(gradient):
        return flatten_for_xla(_isolate_gradient(tf.convert_to_tensor(gradient), xla), xla)
    rows, row_index = tf.unique(gradient.indices)
    return tf.math.unsorted_segment_sum(gradient.values, row_index, tf.size(rows))


def is_sparse(gradient: Tensor) -> bool:
    return isinstance(gradient, tf.IndexedSlices)


def _isolate_gradient(gradient: Tensor, xla: bool) -> Tensor:
    """Returns the gradient; computes it a second time if it is a sum or a product.

    Grappler regroups chains of sums and products whose intermediate results have one reader. If the
    measurements read the gradient itself, it would have a second one, and the update would be rounded
    differently. XLA fuses such chains, with the same consequence.
    """
    if tf.executing_eagerly() or gradient.op.type not in _REGROUPED_OPERATIONS:
        return gradient
    operation = gradient.op
    inputs = [_isolate_gradient(x, xla) for x in operation.inputs]
    if xla:
        inputs = barrier(inputs)
    # Without an attribute that differs, Grappler would merge the copy with the original.
    attributes = dict(operation.node_def.attr) | {"_keras_l4": AttrValue(b=True)}
    return gradient.graph.create_op(
        operation.type, inputs, [gradient.dtype], name="keras_l4", attrs=attributes
    ).outputs[0]
