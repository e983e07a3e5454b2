"""Replicas and processes on TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from keras_l4.backend.common.single_process import (
    gather_to_host,
    has_other_processes,
    is_first_process,
)
from keras_l4.backend.interface import Tensor
from keras_l4.backend.tensorflow.replicas import num_replicas, replica_index
from keras_l4.keras_internals.all_reduce import remember_all_reduce

__all__ = [
    "all_reduce_sum",
    "gather_to_host",
    "has_other_processes",
    "is_first_process",
    "is_recording_replica",
    "is_replicated",
]


def is_replicated() -> bool:
    return num_replicas() > 1


def is_recording_replica() -> bool:
    return not is_replicated() or replica_index() == 0


def all_reduce_sum(gradients: Sequence[Tensor]) -> Sequence[Tensor]:
    if not (is_replicated() and gradients):
        return gradients
    context = tf.distribute.get_replica_context()
    sums = context.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
    # The optimizer uses the same sums, instead of a second all-reduce of the same gradients.
    remember_all_reduce(gradients, sums)
    return sums
