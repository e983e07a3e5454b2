"""Hooks into a running `Model.fit`: its end, however it ends, and its arguments.

Keras calls no callback when `fit` raises, and passes the arguments of `fit` to none.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import CellType, FrameType
from typing import Any

import keras

_exit_stack: ContextVar[contextlib.ExitStack | None] = ContextVar("fit_exit_stack", default=None)


@functools.cache
def wrap_fit() -> None:
    """Wraps `keras.Model.fit`, once per process, so that `on_fit_exit` works.

    Call it when a callback is created, before its `fit` begins.

    `fit` has to be wrapped since only its caller sees every way in which it ends: an exception in
    the data pipeline, in another callback or in the step, or a KeyboardInterrupt. Keras then calls
    no `on_train_end`; without the wrapper the optimizer would stay instrumented, and the event file
    open.
    """
    cell = _cell_of_fit()
    fit = keras.Model.fit if cell is None else cell.cell_contents

    @functools.wraps(fit)
    def wrapped_fit(*args: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            token = _exit_stack.set(stack)
            stack.callback(_exit_stack.reset, token)
            return fit(*args, **kwargs)

    if cell is None:
        keras.Model.fit = wrapped_fit
    else:
        cell.cell_contents = wrapped_fit


def _cell_of_fit() -> CellType | None:
    """Returns the closure cell through which Keras' decorator of `fit` calls the function itself.

    `model.fit(x, callbacks=[TrainingDiagnostics()])` looks `fit` up before it creates the callback,
    so that a new attribute `keras.Model.fit` would come too late for this call. The decorator
    `filter_traceback` reads its cell when it is called. None if a version of Keras has no such
    decorator; the end of a `fit` that was looked up before is then noticed late, see `on_fit_exit`.
    """
    cells = keras.Model.fit.__closure__ or ()
    return next((c for c in cells if getattr(c.cell_contents, "__name__", "") == "fit"), None)


def on_fit_exit(function: Callable[[], None]) -> None:
    """Calls `function` when the `fit` that runs in this thread returns or raises.

    Does nothing if no `fit` runs. If the running `fit` is not wrapped, it calls `function` when
    Keras' list of callbacks is freed, which is as `fit` returns or as its traceback is freed.
    """
    stack = _exit_stack.get()
    if stack is not None:
        stack.push(functools.partial(_run_at_exit, function))
    elif (frame := _frame_of_fit()) is not None:
        weakref.finalize(frame.f_locals["callbacks"], function).atexit = False


def fit_arguments() -> Mapping[str, Any]:
    """Returns the local variables `x`, `y`, `batch_size`, `epoch_iterator`, ... of the running `fit`.

    Returns an empty dictionary if no `fit` runs in this thread.
    """
    frame = _frame_of_fit()
    return {} if frame is None else frame.f_locals


def _frame_of_fit() -> FrameType | None:
    """Returns the stack frame of Keras' `fit`, the only way from a callback to its arguments."""
    # Start at the caller: reading `f_locals` of this function's own frame would create a reference
    # cycle, which keeps all frames above, and the training data in them, in memory.
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_fit(frame):
        frame = frame.f_back
    return frame


def _is_fit(frame: FrameType) -> bool:
    # The name comes first: `f_locals` of a frame is a copy, and costly to read.
    callbacks = frame.f_locals.get("callbacks") if frame.f_code.co_name == "fit" else None
    return isinstance(callbacks, keras.callbacks.CallbackList)


def _run_at_exit(
    function: Callable[[], None], _: Any, error: BaseException | None, __: Any
) -> None:
    """Calls `function`. If both it and `fit` raise, the error of `fit` reaches the user, with a note."""
    try:
        function()
    except Exception as exit_error:
        if error is None:
            raise
        error.add_note(f"keras_l4, when fit ended: {exit_error!r}")
