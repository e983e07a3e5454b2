"""LoopInstrumentation: makes the optimizer of a custom training loop record, and undoes it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from keras_l4 import backend
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder


class LoopInstrumentation:
    """Instruments one optimizer while a custom loop runs, `train_on_batch` included.

    Args:
        model: The model that is trained.
        optimizer: The optimizer that trains it.
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        self._model, self._optimizer = model, optimizer
        self._undo = contextlib.ExitStack()

    def start(self, optimizer: Any, config: RecorderConfig) -> None:
        """Makes `optimizer` record from the next step on."""
        if self._model.built and not optimizer.built:
            optimizer.build(self._model.trainable_variables)
        if backend.step_state.STATE_IS_FUNCTIONAL and not optimizer.built:
            raise ValueError(
                f"The optimizer {optimizer.name!r} is not built. On this backend the recorded data "
                "is part of the optimizer's variables. Build the optimizer before entering watch: "
                "optimizer.build(model.trainable_variables)."
            )
        instrument(optimizer, config)
        self._undo.callback(restore, optimizer)
        if self._model.compiled:
            # `train_on_batch` would use a function that was traced without recording.
            self._undo.callback(setattr, self._model, "train_function", self._model.train_function)
            self._model.train_function = None
        recorder = self.recorder(optimizer)
        if recorder is not None:
            self._undo.enter_context(
                backend.step_state.expose_in_optimizer_variables(recorder.rings)
            )

    def stop(self, optimizer: Any) -> None:
        """Restores `optimizer` and the model's train function."""
        recorder = self.recorder(optimizer)
        self._undo.close()
        if recorder is not None:
            recorder.pre_update_weights.free()

    def recorder(self, optimizer: Any) -> Recorder | None:
        """Returns the recorder of `optimizer`; None until the optimizer is built."""
        return optimizer.recorder

    def adopt_state(self, optimizer_variables: Sequence[Any]) -> None:
        """Copies the ring buffers from the optimizer state that a JAX loop carries."""
        recorder = self._optimizer.recorder
        if recorder is not None:
            backend.step_state.adopt_from_optimizer_variables(recorder.rings, optimizer_variables)
