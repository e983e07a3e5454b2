"""Recording for optimizers of any class: `instrument` and `restore`."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import keras

from keras_l4 import keras_internals
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder

_Optimizer = TypeVar("_Optimizer", bound=keras.optimizers.Optimizer)


def instrument(
    optimizer: _Optimizer, config: RecorderConfig | None = None, recorder: Recorder | None = None
) -> _Optimizer:
    """Makes an optimizer record its steps, in place. Does nothing if it records already.

    Its variables, the name of its class and what it saves do not change. A step function that was
    traced before does not record: the callbacks of keras_l4 trace it again.

    Args:
        optimizer: Any `keras.optimizers.Optimizer`, built or not, trained or not.
        config: What to record. Defaults to everything.
        recorder: A recorder of this optimizer with the same `config`, to continue with it.

    Returns:
        The same object.

    Raises:
        TypeError: `optimizer` is not a Keras optimizer.

    Example:

    >>> optimizer = instrument(keras.optimizers.Lion(1e-4))
    >>> isinstance(optimizer, keras.optimizers.Lion)
    True
    >>> type(restore(optimizer)) is type(keras.optimizers.Lion(1e-4))
    True
    """
    check_optimizer(optimizer)
    if not isinstance(optimizer, RecordingMixin):
        # Swap the class rather than wrap the object: the model, its callbacks and checkpoints
        # hold references to this very optimizer.
        original: Any = type(optimizer)
        optimizer.__class__ = _recording_class(original)
    if not optimizer.is_recording:
        try:
            optimizer.start_recording(config or RecorderConfig(), recorder)
        except BaseException:
            restore(optimizer)
            raise
    return optimizer


def restore(optimizer: _Optimizer) -> _Optimizer:
    """Undoes `instrument`, in place. Does nothing if the optimizer does not record.

    Args:
        optimizer: Any `keras.optimizers.Optimizer`.

    Returns:
        The same object, with its original class.

    Raises:
        TypeError: `optimizer` is not a Keras optimizer.
    """
    check_optimizer(optimizer)
    if isinstance(optimizer, RecordingMixin):
        optimizer.stop_recording()
        optimizer.__class__ = optimizer.original_class()
    return optimizer


def check_optimizer(optimizer: Any) -> None:
    """Raises a TypeError if `optimizer` is not a Keras optimizer."""
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            f"optimizer={optimizer!r} is a {type(optimizer).__name__}; expected a "
            "keras.optimizers.Optimizer, for instance keras.optimizers.Adam(1e-3)."
        )


# Cached: two optimizers of one class have one recording class.
@functools.cache
def _recording_class(original: Any) -> Any:
    """Returns a subclass of `original` that records, with the same name, in memory and saved."""
    attributes = {
        "__module__": original.__module__,
        "__qualname__": original.__qualname__,
        "__doc__": original.__doc__,
        "original_class": staticmethod(lambda: original),
    }
    recording = type(original.__name__, (RecordingMixin, original), attributes)
    keras_internals.save_like(recording, original)
    return recording
