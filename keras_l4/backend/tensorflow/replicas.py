"""Replicas of `tf.distribute.MirroredStrategy`: their numbers, and variables that belong to one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from keras_l4.backend.interface import Tensor, Variable


def num_replicas() -> int:
    """Returns the number of replicas that run this code; 0 in the context of all replicas."""
    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.num_replicas_in_sync


def replica_index() -> int:
    """Returns the index of the replica that runs this code."""
    return int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))


def local_value(variable: Variable) -> Tensor:
    """Returns this replica's copy of a variable; without replicas, the variable."""
    if num_replicas() <= 1:
        return variable
    strategy = tf.distribute.get_strategy()
    return strategy.experimental_local_results(variable.value)[replica_index()]


def create_on_first_replica(create: Callable[[], Variable], colocate_with: Variable) -> Variable:
    """Calls `create` outside of any graph; on the first replica's device if there are several."""
    if not isinstance(colocate_with.value, tf.distribute.DistributedValues):
        with tf.init_scope():
            return create()
    strategy = colocate_with.value.distribute_strategy
    first, *_ = strategy.experimental_local_results(colocate_with.value)

    def create_on_device() -> Variable:
        with tf.device(first.device):
            return create()

    # In the scope of a strategy every new variable is mirrored, and there is no public way to leave
    # the scope. It belongs to the thread, so that another thread is outside of it.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(create_on_device).result()
