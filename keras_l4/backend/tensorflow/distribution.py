"""TensorFlow's strategies: one model replica per device, each with a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

from keras_l4.backend.common.single_process import (
    gather_to_host,
    has_other_processes,
    is_first_process,
)

__all__ = [
    "DeduplicatedAllReduce",
    "all_reduce_sum",
    "create_on_first_replica",
    "gather_to_host",
    "has_other_processes",
    "is_first_process",
    "is_recording_replica",
    "is_replicated",
    "local_value",
]
_Tensors = Sequence[Any]
_summed: ContextVar[tuple[_Tensors, _Tensors]] = ContextVar("summed", default=((), ()))


def is_replicated() -> bool:
    """Whether this is one of several replicas that train together."""
    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def is_recording_replica() -> bool:
    """Whether this replica keeps the record: the first one does, for all."""
    return not is_replicated() or _replica() == 0


def all_reduce_sum(gradients: _Tensors) -> _Tensors:
    """The gradients, summed over the replicas as Keras sums them. Every replica has to call it."""
    if not (is_replicated() and gradients):
        return gradients
    context = tf.distribute.get_replica_context()
    sums = context.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
    _summed.set((gradients, sums))
    return sums


class DeduplicatedAllReduce(keras.optimizers.Optimizer):
    """An optimizer that does not sum gradients over the replicas that were summed already."""

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        # Keras sums here. Gradients that were summed to be measured have gone over the wires once;
        # where it scaled or clipped them in between they are others, and are summed as ever.
        pairs = list(grads_and_vars)
        gradients, sums = _summed.get()
        if len(pairs) != len(gradients) or any(
            mine is not theirs for mine, (theirs, _) in zip(gradients, pairs, strict=True)
        ):
            return super()._all_reduce_sum_gradients(pairs)
        return [(total, variable) for total, (_, variable) in zip(sums, pairs, strict=True)]


def local_value(variable: keras.Variable) -> Any:
    """The tensor that this replica has of a variable; where there is but one, that."""
    if not is_replicated():
        return variable
    strategy = tf.distribute.get_strategy()
    return strategy.experimental_local_results(variable.value)[_replica()]


def _replica() -> int:
    """The number of this replica."""
    return int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))


def create_on_first_replica(
    create: Callable[[], keras.Variable], beside: keras.Variable
) -> keras.Variable:
    """A variable that is created outside of any graph; on the first replica only, if there are several."""
    if not isinstance(beside.value, tf.distribute.DistributedValues):
        with tf.init_scope():
            return create()
    first, *_ = beside.value.distribute_strategy.experimental_local_results(beside.value)

    def create_there() -> keras.Variable:
        with tf.device(first.device):
            return create()

    # Where a strategy is in scope, it mirrors what is created, and there is no way out of the
    # scope; another thread is not in it.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(create_there).result()
