"""FlyingCallback: a callback that may keep what it takes to run the last steps again."""

from __future__ import annotations

import abc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from keras_l4 import keras_internals
from keras_l4.callbacks.base import RecordingCallback
from keras_l4.observers.base import Observer
from keras_l4.observers.snapshots import FlightRecorderObserver
from keras_l4.session.options import CommonArguments


class SnapshottingCallback(RecordingCallback, abc.ABC):
    """A callback with a flight recorder, where it is given one."""

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None,
        observers: Sequence[Observer],
        flight: FlightRecorderObserver | None,
        **options: Unpack[CommonArguments],
    ) -> None:
        self._flight = flight
        self.keeps_steps = flight is not None
        # First, so that there is a capsule before another one raises.
        super().__init__(log_dir, [*([flight] if flight else []), *observers], **options)

    @property
    def capsule(self) -> Path | None:
        """The folder that was written in the last `fit`, if any, for `keras_l4.replay`."""
        return None if self._flight is None else self._flight.capsule

    def set_model(self, model: Any) -> None:
        """Waits for the training of `model`; what is taped of it is forgotten after that."""
        super().set_model(model)
        if self._flight is not None:
            # Said before there is a session, and so done after its end, which may write a capsule.
            keras_internals.on_fit_exit(self._flight.forget)

    def on_train_begin(self, logs: Any = None) -> None:
        if self._flight is not None:
            keras_internals.build_optimizer(self._model)
        super().on_train_begin(logs)
        if self._flight is not None:
            self._flight.begin(self._model)
            keras_internals.on_fit_exit(self._leave)

    def _leave(self) -> None:
        """`fit` is left, maybe by an error in a step."""
        words, flight, session = keras_internals.refusal(), self._flight, self._session
        if words and flight and session and session.is_open:
            session.flush()
            flight.keep_refused(session.last_step + 1, words)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(batch, logs)
        flight, session = self._flight, self._session
        if flight and session and flight.is_due(self._model.steps_per_execution):
            session.catch_up()
            flight.look_at_loss(session.last_step)
            flight.keep_state(session.last_step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        # Loss scaling skips steps whose loss is not finite: they do no harm.
        if self._flight is not None and not self.scales_loss:
            self._flight.note_loss((logs or {}).get("loss", 0.0))

    def on_train_end(self, logs: Any = None) -> None:
        super().on_train_end(logs)
        if self._flight is not None and self._session is not None:
            self._flight.look_at_loss(self._session.last_step)
            self._flight.look_at_state(self._session.last_step)
