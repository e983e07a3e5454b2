"""TensorFlow: rings are variables that the traced step captures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_l4.backend.tensorflow.distribution import create_on_first_replica

Ring: TypeAlias = keras.Variable


def new_ring(name: str, shape: tuple[int, ...], dtype: str, beside: keras.Variable) -> Ring:
    """A device variable of zeros, where the first replica keeps its copy of `beside`."""

    def create() -> Ring:
        return keras.Variable(np.zeros(shape), dtype=dtype, trainable=False, name=name)

    return create_on_first_replica(create, beside)


def new_counters(name: str, num: int, beside: keras.Variable) -> Ring:
    """Integers that are counted on the device."""
    return new_ring(name, (num,), "int", beside)


def read_counters(counters: Ring) -> Any:
    """What they are now."""
    return tf.identity(counters)


def increment_counters(counters: Ring, before: Any, by: Sequence[Any]) -> None:
    """Adds `by` to what they were before."""
    counters.assign(before + concat_flat(by, counters.dtype))


def concat_flat(parts: Sequence[Any], dtype: str) -> Any:
    """The parts, scalars or vectors, one after the other: a vector."""
    tensors = [tf.convert_to_tensor(x) for x in parts]
    if tensors and all(x.dtype == tensors[0].dtype and not x.shape.rank for x in tensors):
        # One kernel for all of them.
        return tf.cast(tf.stack(tensors), dtype)
    vectors = [tf.reshape(tf.cast(x, dtype), [-1]) for x in tensors]
    return tf.concat(vectors, 0) if vectors else tf.zeros((0,), dtype)


def write(ring: Ring, index: Any, row: Any) -> None:
    """ring[index] = row, in place."""
    ring.value.scatter_nd_update([[index]], [tf.cast(row, ring.dtype)])


def overwrite(ring: Ring, values: Any) -> None:
    """ring[:] = values."""
    ring.assign(values)


def read(ring: Ring) -> np.ndarray:
    """A copy on the host."""
    return np.array(ring.numpy())


def read_async(rings: Sequence[Ring]) -> Callable[[], list[np.ndarray]]:
    """Asks for what the rings hold now; the result waits for it, and gives it."""
    held = [tf.identity(ring) for ring in rings]
    return lambda: [np.array(copy.numpy()) for copy in held]
