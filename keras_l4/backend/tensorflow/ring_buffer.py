"""Ring buffers on TensorFlow: variables that the traced step captures and updates in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_l4.backend.interface import Array, Ring, Tensor, Variable
from keras_l4.backend.tensorflow.replicas import create_on_first_replica


def create(name: str, shape: tuple[int, ...], dtype: str, colocate_with: Variable) -> Ring:
    def create_variable() -> Ring:
        return keras.Variable(np.zeros(shape), dtype=dtype, trainable=False, name=name)

    return create_on_first_replica(create_variable, colocate_with)


def create_counters(name: str, size: int, colocate_with: Variable) -> Ring:
    return create(name, (size,), "int", colocate_with)


def read_counters(counters: Ring) -> Tensor:
    return tf.identity(counters)


def increment_counters(counters: Ring, counts: Tensor, increments: Sequence[Any]) -> None:
    counters.assign(counts + concat_flat(increments, counters.dtype))


def concat_flat(values: Sequence[Any], dtype: str) -> Tensor:
    tensors = [tf.convert_to_tensor(x) for x in values]
    if tensors and all(x.dtype == tensors[0].dtype and not x.shape.rank for x in tensors):
        # Scalars of one dtype: one operation for all of them instead of a cast and a reshape each.
        return tf.cast(tf.stack(tensors), dtype)
    vectors = [tf.reshape(tf.cast(x, dtype), [-1]) for x in tensors]
    return tf.concat(vectors, 0) if vectors else tf.zeros((0,), dtype)


def write(ring: Ring, index: Any, row: Tensor) -> None:
    ring.value.scatter_nd_update([[index]], [tf.cast(row, ring.dtype)])


def overwrite(ring: Ring, values: Tensor) -> None:
    ring.assign(values)


def read(ring: Ring) -> Array:
    return np.array(ring.numpy())


def read_async(rings: Sequence[Ring]) -> Callable[[], list[Array]]:
    copies = [tf.identity(ring) for ring in rings]
    return lambda: [np.array(copy.numpy()) for copy in copies]
