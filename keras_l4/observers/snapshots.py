"""Flight: what a flight recorder does while `fit` runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_l4 import keras_internals
from keras_l4.forensics.packing import pack
from keras_l4.forensics.tape import BatchBuffer
from keras_l4.observers.base import Observer
from keras_l4.records.block import StepBlock
from keras_l4.records.nonfinite import nonfinite_events
from keras_l4.session.circuit_breaker import CircuitBreaker, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keras_l4.callbacks.base import RecordingCallback


SNAPSHOT_EVERY = 100
MAX_BYTES = 2**28


_KEEPING, _WRITING = "the flight recorder", "writing a capsule"


class FlightRecorderObserver(Observer):
    """Keeps a tape, and makes a capsule of it when something is not finite.

    Args:
        folder: Where capsules go.
        snapshot_every: Steps between two states that are kept.
        max_bytes: What the batches may take.
        say: Prints a line.
    """

    def __init__(
        self, folder: Path, snapshot_every: int, max_bytes: int, say: Callable[[str], None]
    ) -> None:
        self.capsule: Path | None = None
        self._folder, self._every, self._say = folder, snapshot_every, say
        self._max_bytes = max_bytes
        self._fuse = CircuitBreaker()
        self._is_on = self._was_told = self._lost_loss = False
        self.forget()

    def forget(self) -> None:
        """Gives the memory of the tape back."""
        self._tape = BatchBuffer(self._max_bytes)
        self._blocks: list[StepBlock] = []

    def begin(self, model: Any) -> None:
        """A `fit` begins."""
        self._model = model
        self.capsule, self._was_told, self._lost_loss = None, False, False
        self.forget()
        self._is_on = keras_internals.watch_batches(self._see)
        if not self._is_on:
            warn(
                "FlightRecorder cannot see the batches of a tf.distribute strategy, nor those of a "
                "fit that was overridden: no capsule will be written."
            )

    def is_due(self, num_steps: int) -> bool:
        """Whether the state is to be kept before the next `num_steps` steps, or a capsule is due."""
        if not self._is_on:
            return False
        if self._lost_loss:
            return True
        if self._tape.state is None:
            # A model that is built by its first batch has no state before it.
            return keras_internals.is_built(self._model)
        num_more = num_steps - keras_internals.BATCHES_AHEAD
        too_long = len(self._tape.batches) + num_more > self._every
        return too_long or self._has_no_room(num_more)

    def _has_no_room(self, num_more: int) -> bool:
        is_full = self._tape.is_full(num_more)
        if is_full and not self._was_told:
            self._was_told = True
            warn(
                f"{len(self._tape.batches)} batches fill max_bytes={self._max_bytes}: "
                f"FlightRecorder keeps the state more often than every {self._every} steps."
            )
        return is_full

    def keep_state(self, step: int) -> None:
        """Begins a new tape after this step, the last of those that were observed."""
        state = self.look_at_state(step)
        if self._is_on and state is not None:
            self._tape.restart(step, state, keras_internals.BATCHES_AHEAD)
            self._blocks = []

    def note_loss(self, loss: float) -> None:
        """Keras showed this loss after a batch; called from any thread."""
        self._lost_loss |= not np.isfinite(loss)

    def look_at_loss(self, step: int) -> None:
        """Writes a capsule where a loss was not finite, and no gradient of it was."""
        if self._lost_loss:
            self._write(step, f"step {step} or one before it: the loss is not finite")

    def keep_refused(self, step: int, words: str) -> None:
        """Writes a capsule of a step that the framework did not finish, with these words."""
        self._write(step, f"step {step} was not finished: {words}")

    def look_at_state(self, step: int) -> keras_internals.State | None:
        """Looks for weights, states of layers, slots and metrics that are not finite after `step`."""
        if not self._is_on:
            return None
        state: keras_internals.State = self._fuse.attempt(
            _KEEPING, functools.partial(keras_internals.read_state, self._model)
        )
        begun = self._tape.state is not None
        if begun and state and (path := self._nonfinite_variable(state)):
            message = f"step {step} or one before it: {path} is not finite"
            self._say(message)
            self._write(step, message)
        return state

    def _nonfinite_variable(self, state: keras_internals.State) -> str | None:
        for kind, variables in keras_internals.state_variables(self._model).items():
            for variable, value in zip(variables, state[kind], strict=True):
                if value.dtype.kind == "f" and not np.isfinite(value).all():
                    return str(variable.path)
        return None

    def begin_epoch(self) -> None:
        """A tape goes on, but the loss that Keras shows begins anew."""
        self._tape.begin_epoch()

    def epoch_logs(self) -> Mapping[str, float]:
        return {}

    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        self._blocks.append(block)
        events = [e for e in nonfinite_events(block) if not e.skipped and e.kind != "overflow"]
        if events:
            self._write(events[0].step, str(events[0]))

    def _see(self, batch: keras_internals.Batch) -> None:
        if self._is_on:
            draw = keras_internals.random_state()
            self._fuse.attempt(_KEEPING, functools.partial(self._tape.add, batch, draw))

    def _write(self, step: int, message: str) -> None:
        # A tape that has failed has gaps.
        if not self._is_on or self._fuse.is_off(_KEEPING):
            return
        self._is_on = False
        if self._tape.state is None:
            warn(
                "no capsule: the model was built by the batch that was not finite. Give it a "
                "keras.Input, or build it before fit, to have its first step kept."
            )
            return
        self._fuse.attempt(_WRITING, functools.partial(self._save, step, message))

    def _save(self, step: int, message: str) -> None:
        event = {"step": step, "message": message}
        capsule = pack(self._model, self._tape, self._blocks, event)
        folder = self._folder / f"capsule-{step}"
        capsule.save(folder)
        self.capsule = folder
        self._say(f"where step {step} went wrong: python -m keras_l4 replay {folder}")
