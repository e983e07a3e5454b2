"""Barriers between the tensors that the optimizer's update reads and those that are measured."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from keras_l4.backend.interface import Tensor


def barrier(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Returns the tensors; XLA cannot move or fuse operations across the call."""
    # TensorFlow has no public function for this operation.
    return gen_xla_ops.xla_optimization_barrier(list(tensors))


def flatten_for_xla(x: Tensor, xla: bool) -> Tensor:
    """Returns `x`; under XLA, as a vector behind a barrier.

    A matrix that is stored to be measured would fix a layout that XLA carries over to the update,
    even out of branches, and the update would be rounded differently.
    """
    return barrier([tf.reshape(x, [-1])])[0] if xla else x
