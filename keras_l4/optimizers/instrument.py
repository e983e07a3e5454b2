"""Recording for an optimizer that somebody else built."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import keras

from keras_l4 import keras_internals
from keras_l4.optimizers.recording import Recording
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder

_Optimizer = TypeVar("_Optimizer", bound=keras.optimizers.Optimizer)


def instrument(
    optimizer: _Optimizer, settings: RecorderConfig | None = None, recorder: Recorder | None = None
) -> _Optimizer:
    """Makes an optimizer record its steps, in place; a recording one is left as it is.

    Its variables, its class name and what it saves stay as they were. A traced step function has
    to be made anew to be recorded: the callbacks do that.

    Args:
        optimizer: Any `keras.optimizers.Optimizer`, built or not, trained or not.
        settings: What to record; everything by default.
        recorder: One that was made for this optimizer and these settings, to go on with.

    Returns:
        The same object.

    Raises:
        TypeError: `optimizer` is no Keras optimizer.

    Example:

    >>> optimizer = instrument(keras.optimizers.Lion(1e-4))
    >>> isinstance(optimizer, keras.optimizers.Lion)
    True
    >>> type(restore(optimizer)) is type(keras.optimizers.Lion(1e-4))
    True
    """
    check_optimizer(optimizer)
    if not isinstance(optimizer, Recording):
        stock: Any = type(optimizer)
        optimizer.__class__ = _recording_class(stock)
    if not optimizer.is_recording:
        try:
            optimizer.start_recording(settings or RecorderConfig(), recorder)
        except BaseException:
            restore(optimizer)
            raise
    return optimizer


def restore(optimizer: _Optimizer) -> _Optimizer:
    """Undoes `instrument`, in place; an optimizer that does not record is left as it is.

    Args:
        optimizer: Any `keras.optimizers.Optimizer`.

    Returns:
        The same object, with its original class.

    Raises:
        TypeError: `optimizer` is no Keras optimizer.
    """
    check_optimizer(optimizer)
    if isinstance(optimizer, Recording):
        optimizer.stop_recording()
        optimizer.__class__ = optimizer.stock_class()
    return optimizer


def check_optimizer(optimizer: Any) -> None:
    """Raises a TypeError unless `optimizer` is a Keras optimizer."""
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            f"optimizer={optimizer!r} is a {type(optimizer).__name__}; expected a "
            "keras.optimizers.Optimizer, for instance keras.optimizers.Adam(1e-3)."
        )


@functools.cache
def _recording_class(stock: Any) -> Any:
    """A subclass of `stock` that records and passes for it, by name and in what is saved."""
    names = {"__module__": stock.__module__, "__qualname__": stock.__qualname__}
    body = names | {"stock_class": staticmethod(lambda: stock), "__doc__": stock.__doc__}
    recording = type(stock.__name__, (Recording, stock), body)
    keras_internals.save_like(recording, stock)
    return recording
