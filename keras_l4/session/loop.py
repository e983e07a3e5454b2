"""Loop: an optimizer that records in a loop of the user's own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from keras_l4 import backend
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder


class LoopInstrumentation:
    """Instruments an optimizer for as long as a loop runs, also within `train_on_batch`.

    Args:
        model: The model that is trained.
        optimizer: The one that trains it.
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        self._model, self._optimizer = model, optimizer
        self._undo = contextlib.ExitStack()

    def start(self, optimizer: Any, settings: RecorderConfig) -> None:
        """From now on `optimizer` records."""
        if self._model.built and not optimizer.built:
            optimizer.build(self._model.trainable_variables)
        if backend.step_state.STATE_IS_FUNCTIONAL and not optimizer.built:
            raise ValueError(
                f"The optimizer {optimizer.name!r} is not built, and on this backend the record "
                "travels with its variables. Build it before watch is entered: "
                "optimizer.build(model.trainable_variables)."
            )
        instrument(optimizer, settings)
        self._undo.callback(restore, optimizer)
        if self._model.compiled:
            self._undo.callback(setattr, self._model, "train_function", self._model.train_function)
            self._model.train_function = None
        recorder = self.recorder(optimizer)
        if recorder is not None:
            self._undo.enter_context(
                backend.step_state.expose_in_optimizer_variables(recorder.rings)
            )

    def stop(self, optimizer: Any) -> None:
        """`optimizer` is as it was."""
        recorder = self.recorder(optimizer)
        self._undo.close()
        if recorder is not None:
            recorder.weights.free()

    def recorder(self, optimizer: Any) -> Recorder | None:
        """That of `optimizer`, once it knows its variables."""
        return optimizer.recorder

    def take(self, optimizer_variables: Sequence[Any]) -> None:
        """Takes the rings from the state that the loop carries, where it does."""
        recorder = self._optimizer.recorder
        if recorder is not None:
            backend.step_state.adopt_from_optimizer_variables(recorder.rings, optimizer_variables)
