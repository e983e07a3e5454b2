"""The end of `fit`, however it ends: Keras calls no callback when `fit` raises."""

from __future__ import annotations

import contextlib
import functools
import sys
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import FrameType
from typing import Any

import keras

_running: ContextVar[contextlib.ExitStack | None] = ContextVar("running_fit", default=None)


@functools.cache
def guard_fit() -> None:
    """Makes every `keras.Model.fit` from now on run what `on_fit_exit` was given.

    There is no other hook: only something around `fit` sees an exception in the data, in
    another callback, or a KeyboardInterrupt, and it has to be there before `fit` is entered.
    """
    fit = keras.Model.fit

    @functools.wraps(fit)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            token = _running.set(stack)
            stack.callback(_running.reset, token)
            return fit(*args, **kwargs)

    keras.Model.fit = guarded


def on_fit_exit(function: Callable[[], None]) -> None:
    """Calls `function` when the `fit` that is running in this thread ends, also by an exception."""
    running = _running.get()
    if running is not None:
        running.push(functools.partial(_leave, function))
    elif (callbacks := _callbacks_of_fit()) is not None:
        weakref.finalize(callbacks, function).atexit = False


def fit_arguments() -> Mapping[str, Any]:
    """The arguments `x`, `y`, `batch_size`, ... of the `fit` that is running in this thread."""
    frame = _frame_of_fit()
    return {} if frame is None else frame.f_locals


def _callbacks_of_fit() -> Any:
    """The callback list of a `fit` that was looked up before it was guarded.

    `model.fit(x, callbacks=[TrainingDiagnostics()])` looks `fit` up before it makes the callback.
    The list lives as long as the call, or as the traceback of what it raised.
    """
    frame = _frame_of_fit()
    return None if frame is None else frame.f_locals["callbacks"]


def _frame_of_fit() -> FrameType | None:
    """Keras hands no callback what `fit` was given."""
    # The frame of this function, once asked for its locals, would hold itself, and all its callers.
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_fit(frame):
        frame = frame.f_back
    return frame


def _is_fit(frame: FrameType) -> bool:
    is_named_so = frame.f_code.co_name == "fit"
    callbacks = frame.f_locals.get("callbacks") if is_named_so else None
    return isinstance(callbacks, keras.callbacks.CallbackList)


def _leave(function: Callable[[], None], _: Any, error: BaseException | None, __: Any) -> None:
    """What `fit` raised goes on to the user; what that leads to here becomes a note on it."""
    try:
        function()
    except Exception as another:
        if error is None:
            raise
        error.add_note(f"keras_l4, when fit ended: {another!r}")
