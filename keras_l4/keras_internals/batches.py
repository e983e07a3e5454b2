"""Observes the batches of a running `fit`, which Keras shows to no callback."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4.keras_internals.fit_exit import fit_arguments, on_fit_exit

Batch: TypeAlias = Any
"""A structure of arrays, as `fit` passes it to `train_step`."""
BatchListener: TypeAlias = Callable[[Batch], None]
NUM_PREFETCHED_BATCHES = 1 if keras.backend.backend() == "torch" else 0
"""Batches beyond the current one that Keras has read when it calls `on_train_batch_begin`."""


def watch_batches(on_batch: BatchListener) -> bool:
    """Calls `on_batch` with a copy of every batch of the running `fit`, before its step.

    Batches are observed behind the whole input pipeline; none is consumed or reordered.

    Args:
        on_batch: Takes the batch, with NumPy copies of its arrays. An element that is not a dense
            array of numbers or strings, such as a ragged tensor, is passed as it is.

    Returns:
        False if batches cannot be observed: no `fit` runs, or a `tf.distribute` strategy has
        distributed them to replicas.
    """
    epoch_iterator = fit_arguments().get("epoch_iterator")
    if epoch_iterator is None:
        return False
    # `EpochIterator._get_iterator` returns the batches of an epoch. `fit` creates the object and
    # passes it to no callback; without replacing this method, batches could only be observed by
    # reading them, and those would be lost to the training.
    get_batches = epoch_iterator._get_iterator
    if keras.backend.backend() != "tensorflow":
        epoch_iterator._get_iterator = lambda: _ObservedBatches(get_batches(), on_batch)
    elif _is_dataset(get_batches()):
        epoch_iterator._get_iterator = lambda: _observed_dataset(get_batches(), on_batch)
    else:
        return False
    # The lambda refers to the iterator that holds it: a cycle that would keep the data in memory.
    on_fit_exit(lambda: vars(epoch_iterator).pop("_get_iterator", None))
    return True


def to_model_input(batch: Batch) -> Batch:
    """Converts a copied batch to what a model accepts: Keras does not accept NumPy byte strings."""

    def convert(x: Any) -> Any:
        is_text = x is not None and x.dtype.kind == "S"
        return keras.ops.convert_to_tensor(x) if is_text else x

    return keras.tree.map_structure(convert, batch)


class _ObservedBatches:
    """An iterable that passes each batch to a listener when it is read."""

    def __init__(self, batches: Iterable[Any], on_batch: BatchListener) -> None:
        self._batches, self._on_batch = batches, on_batch

    def __iter__(self) -> Iterator[Any]:
        # Not a generator, which would call `iter` only at the first batch: torch's DataLoader draws
        # a random number in `iter`, and later draws of the training would differ.
        return map(self._observe, iter(self._batches))

    def _observe(self, batch: Any) -> Any:
        self._on_batch(keras.tree.map_structure(_copy, batch))
        return batch


def _copy(x: Any) -> Any:
    # `np.asarray` on a JAX BCOO returns an object array, which `_copy_or` rejects; Keras would
    # densify the BCOO, which may not fit in memory.
    convert = np.asarray if keras.backend.backend() == "jax" else keras.ops.convert_to_numpy
    try:
        return _copy_or(np.asarray(convert(x)), x)
    except (TypeError, ValueError, RuntimeError):  # Sparse tensors of torch.
        return x


def _copy_or(array: np.ndarray, default: Any) -> Any:
    """Returns a copy of an array of numbers or strings, or `default` for other objects."""
    if not array.dtype.hasobject:
        return np.array(array)
    strings = array.astype("S")
    # NumPy drops zero bytes at the end of a string as padding: such strings cannot be copied.
    return strings if np.array_equal(strings.astype(object), array) else default


def _is_dataset(batches: Any) -> bool:
    import tensorflow as tf

    return isinstance(batches, tf.data.Dataset)


def _observed_dataset(batches: Any, on_batch: BatchListener) -> Any:
    """Returns a dataset of the same elements that passes each to `on_batch` when it is read."""
    import tensorflow as tf

    def observe(*element: Any) -> Any:
        batch = element if isinstance(batches.element_spec, tuple) else element[0]
        leaves = tf.nest.flatten(batch)

        def notify(*arrays: np.ndarray) -> None:
            copies = iter([_copy_or(x, x) for x in arrays])
            copied = [next(copies) if isinstance(x, tf.Tensor) else x for x in leaves]
            on_batch(tf.nest.pack_sequence_as(batch, copied))

        tf.numpy_function(notify, [x for x in leaves if isinstance(x, tf.Tensor)], [])
        return batch

    return batches.map(observe)
