"""SnapshottingCallback: a callback that may have a flight recorder."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any

from keras_l4 import keras_internals
from keras_l4.callbacks.base import RecordingCallback
from keras_l4.observers.snapshots import FlightRecorderObserver


class SnapshottingCallback(RecordingCallback, abc.ABC):
    """A callback that drives a flight recorder, if a subclass sets `_flight_recorder`. Abstract."""

    _flight_recorder: FlightRecorderObserver | None = None

    @property
    def has_flight_recorder(self) -> bool:
        return self._flight_recorder is not None

    @property
    def capsule(self) -> Path | None:
        """The folder that was written in the last `fit`, for `keras_l4.replay`; None if there is none."""
        return None if self._flight_recorder is None else self._flight_recorder.capsule

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if self._flight_recorder is not None:
            # Functions run in reverse order when `fit` is left: as the first one, this runs after
            # the session has ended, which may still write a capsule.
            keras_internals.on_fit_exit(self._flight_recorder.release)

    def on_train_begin(self, logs: Any = None) -> None:
        if self._flight_recorder is not None:
            # The snapshot includes the slots, which Keras creates only in the first step.
            keras_internals.build_optimizer(self._trained_model)
        super().on_train_begin(logs)
        if self._flight_recorder is not None:
            self._flight_recorder.start(self._trained_model)
            keras_internals.on_fit_exit(self._record_aborted_step)

    def _record_aborted_step(self) -> None:
        """Writes a capsule if `fit` is left because of an error at a non-finite number."""
        message = keras_internals.raised_nonfinite_message()
        flight_recorder, session = self._flight_recorder, self._session
        if message and flight_recorder and session and session.is_open:
            session.read_all_steps()
            flight_recorder.on_aborted_step(session.last_step + 1, message)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(batch, logs)
        flight_recorder, session = self._flight_recorder, self._session
        num_steps = self._trained_model.steps_per_execution
        if flight_recorder and session and flight_recorder.is_snapshot_due(num_steps):
            session.read_all_steps_at_batch_begin()
            flight_recorder.check_loss(session.last_step)
            flight_recorder.take_snapshot(session.last_step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        # Dynamic loss scaling skips steps with a non-finite loss as part of its normal operation.
        if self._flight_recorder is not None and not self.scales_loss:
            self._flight_recorder.on_loss((logs or {}).get("loss", 0.0))

    def on_train_end(self, logs: Any = None) -> None:
        super().on_train_end(logs)
        if self._flight_recorder is not None and self._session is not None:
            self._flight_recorder.check_loss(self._session.last_step)
            self._flight_recorder.check_state(self._session.last_step)
