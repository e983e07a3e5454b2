"""The batches of `fit`: Keras shows them to no callback."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_l4.keras_internals.fit import fit_arguments, on_fit_exit

Batch = Any
"""A structure of arrays, as `fit` hands it to `train_step`."""
BATCHES_AHEAD = 1 if keras.backend.backend() == "torch" else 0
"""Batches that Keras' trainer has taken from the iterator when it says that the next one begins."""
See = Callable[[Batch], None]


def watch_batches(see: See) -> bool:
    """Calls `see` with every batch of the `fit` that is running, before its step.

    Nothing is consumed or reordered: it stands behind all that the data goes through. There is
    no public way to the iterator that `fit` made; it asks this method for the batches of an
    epoch.

    Args:
        see: Called with copies of the arrays of a batch, in their structure. What is no dense array
            of numbers or strings, such as a ragged tensor, stands there itself.

    Returns:
        Whether it could be arranged. Batches that a `tf.distribute` strategy has dealt out to
        replicas cannot be seen.
    """
    iterator = fit_arguments().get("epoch_iterator")
    if iterator is None:
        return False
    batches = iterator._get_iterator
    if keras.backend.backend() == "tensorflow":
        if not _is_dataset(batches()):
            return False
        iterator._get_iterator = lambda: _passed_through(batches(), see)
    else:
        iterator._get_iterator = lambda: _Seen(batches(), see)
    # The iterator, which holds the data, would hold itself.
    on_fit_exit(lambda: vars(iterator).pop("_get_iterator", None))
    return True


def as_fed(batch: Batch) -> Batch:
    """What `see` was called with, as a model takes it: Keras takes no strings of NumPy's."""

    def fed(x: Any) -> Any:
        is_text = x is not None and x.dtype.kind == "S"
        return keras.ops.convert_to_tensor(x) if is_text else x

    return keras.tree.map_structure(fed, batch)


class _Seen:
    """Batches that are seen when they are asked for."""

    def __init__(self, batches: Iterable[Any], see: See) -> None:
        self._batches, self._see = batches, see

    def __iter__(self) -> Iterator[Any]:
        # At once: torch's loader draws a random number where an iterator of it is made.
        return map(self._show, iter(self._batches))

    def _show(self, batch: Any) -> Any:
        self._see(keras.tree.map_structure(_copy, batch))
        return batch


def _copy(x: Any) -> Any:
    # Of a sparse array of JAX's, NumPy makes an object; Keras a dense one, however large.
    convert = np.asarray if keras.backend.backend() == "jax" else keras.ops.convert_to_numpy
    try:
        return _plain(np.asarray(convert(x)), x)
    except (TypeError, ValueError, RuntimeError):  # torch's sparse ones.
        return x


def _plain(array: np.ndarray, otherwise: Any) -> Any:
    """A copy of numbers, or of strings; `otherwise` where that would be none."""
    if not array.dtype.hasobject:
        return np.array(array)
    strings = array.astype("S")
    # NumPy takes zero bytes at the end of a string for padding.
    return strings if np.array_equal(strings.astype(object), array) else otherwise


def _is_dataset(batches: Any) -> bool:
    import tensorflow as tf

    return isinstance(batches, tf.data.Dataset)


def _passed_through(batches: Any, see: See) -> Any:
    """A dataset of the same elements, which shows each to `see` on its way."""
    import tensorflow as tf

    def show(*element: Any) -> Any:
        batch = element if isinstance(batches.element_spec, tuple) else element[0]
        parts = tf.nest.flatten(batch)

        def look(*arrays: np.ndarray) -> None:
            copies = iter([_plain(x, x) for x in arrays])
            seen = [next(copies) if isinstance(x, tf.Tensor) else x for x in parts]
            see(tf.nest.pack_sequence_as(batch, seen))

        tf.numpy_function(look, [x for x in parts if isinstance(x, tf.Tensor)], [])
        return batch

    return batches.map(show)
