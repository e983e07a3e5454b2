"""FlightRecorderObserver: takes snapshots and buffers batches, and writes a capsule."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_l4 import keras_internals
from keras_l4.circuit_breaker import CircuitBreaker, warn
from keras_l4.forensics.batch_buffer import BatchBuffer
from keras_l4.forensics.capsule_builder import build_capsule
from keras_l4.observers.base import Observer, ObserverContext
from keras_l4.records.block import StepBlock
from keras_l4.records.nonfinite import nonfinite_events

SNAPSHOT_EVERY = 100
MAX_BYTES = 2**28

# Parts of the circuit breaker.
_BUFFERING, _WRITING = "the flight recorder", "writing a capsule"


class FlightRecorderObserver(Observer):
    """Writes a capsule at the first non-finite number of a `fit`, then stops buffering.

    Its callback calls `start` when training begins, `take_snapshot` when `is_snapshot_due`, and
    `release` when `fit` is left.

    Attributes:
        capsule: The folder that was written in the last `fit`, or None.

    Args:
        folder: Parent folder of the capsules.
        snapshot_every: Number of steps between two snapshots.
        max_bytes: Maximum size of the buffered batches.
        print_message: Prints a line.
    """

    def __init__(
        self,
        folder: Path,
        snapshot_every: int,
        max_bytes: int,
        print_message: Callable[[str], None],
    ) -> None:
        self.capsule: Path | None = None
        self._folder, self._every, self._max_bytes = folder, snapshot_every, max_bytes
        self._print_message = print_message
        self._breaker = CircuitBreaker()
        self._is_on = self._has_warned = self._has_nonfinite_loss = False
        self.release()

    def start(self, model: Any) -> None:
        """Begins to buffer the batches of a `fit`."""
        self._model = model
        self.capsule, self._has_warned, self._has_nonfinite_loss = None, False, False
        self.release()
        self._is_on = keras_internals.watch_batches(self._on_batch)
        if not self._is_on:
            warn(
                "FlightRecorder cannot observe the batches of a tf.distribute strategy or of an "
                "overridden fit, so it will write no capsule."
            )

    def release(self) -> None:
        """Frees the memory of the snapshot and the batches."""
        self._buffer = BatchBuffer(self._max_bytes)
        self._blocks: list[StepBlock] = []

    def is_snapshot_due(self, num_steps: int) -> bool:
        """Returns True if `take_snapshot` is to be called before the next `num_steps` steps.

        Also True if a loss was not finite, so that `check_loss` is called.
        """
        if not self._is_on:
            return False
        if self._has_nonfinite_loss:
            return True
        if self._buffer.state is None:
            # A model that its first batch builds has no state before that.
            return keras_internals.is_built(self._model)
        num_batches = num_steps - keras_internals.NUM_PREFETCHED_BATCHES
        exceeds_interval = len(self._buffer.batches) + num_batches > self._every
        return exceeds_interval or self._exceeds_memory(num_batches)

    def _exceeds_memory(self, num_batches: int) -> bool:
        has_room = self._buffer.has_room_for(num_batches)
        if not has_room and not self._has_warned:
            self._has_warned = True
            warn(
                f"{len(self._buffer.batches)} batches fill max_bytes={self._max_bytes}, so "
                f"FlightRecorder takes snapshots more often than every {self._every} steps."
            )
        return not has_room

    def take_snapshot(self, step: int) -> None:
        """Copies the training state to the host, and drops the batches before it.

        Args:
            step: The last step that was observed.
        """
        state = self.check_state(step)
        if self._is_on and state is not None:
            self._buffer.restart(step, state, keras_internals.NUM_PREFETCHED_BATCHES)
            self._blocks = []

    def on_loss(self, loss: float) -> None:
        """Receives the loss that Keras reports after a batch, from any thread."""
        self._has_nonfinite_loss |= not np.isfinite(loss)

    def check_loss(self, step: int) -> None:
        """Writes a capsule if a loss was not finite, though no gradient was.

        Args:
            step: The last step that was observed.
        """
        if self._has_nonfinite_loss:
            self._write_once(step, f"step {step} or an earlier one: the loss is not finite")

    def check_state(self, step: int) -> keras_internals.TrainingState | None:
        """Writes a capsule if a weight, a layer's state, a slot or a metric is not finite.

        Args:
            step: The last step that was observed.

        Returns:
            The training state; None if it could not be read.
        """
        if not self._is_on:
            return None
        state: keras_internals.TrainingState | None = self._breaker.call(
            _BUFFERING, functools.partial(keras_internals.read_state, self._model)
        )
        # The first snapshot is not checked, since there are no steps to replay yet. If it is not
        # finite, the next check finds it.
        has_snapshot = self._buffer.state is not None
        if has_snapshot and state and (path := self._nonfinite_variable(state)):
            message = f"step {step} or an earlier one: {path} is not finite"
            self._print_message(message)
            self._write_once(step, message)
        return state

    def on_aborted_step(self, step: int, message: str) -> None:
        """Writes a capsule for a step that the framework aborted with this error message."""
        self._write_once(step, f"step {step} was aborted because of NaN or Inf: {message}")

    def begin_epoch(self) -> None:
        # Batches stay, but the loss that Keras reports is a mean that restarts here.
        self._buffer.begin_epoch()

    def observe(self, block: StepBlock, context: ObserverContext) -> None:
        self._blocks.append(block)
        events = [e for e in nonfinite_events(block) if not e.skipped and e.kind != "overflow"]
        if events:
            self._write_once(events[0].step, str(events[0]))

    def _nonfinite_variable(self, state: keras_internals.TrainingState) -> str | None:
        for kind, variables in keras_internals.state_variables(self._model).items():
            for variable, value in zip(variables, state[kind], strict=True):
                if value.dtype.kind == "f" and not np.isfinite(value).all():
                    return str(variable.path)
        return None

    def _on_batch(self, batch: keras_internals.Batch) -> None:
        if self._is_on:
            rng_state = keras_internals.random_state()
            self._breaker.call(_BUFFERING, functools.partial(self._buffer.add, batch, rng_state))

    def _write_once(self, step: int, message: str) -> None:
        # After a failure batches are missing from the buffer.
        if not self._is_on or self._breaker.is_disabled(_BUFFERING):
            return
        self._is_on = False
        if self._buffer.state is None:
            warn(
                "FlightRecorder writes no capsule: the batch that was not finite also built the "
                "model, so there is no snapshot before it. Give the model a keras.Input, or build it "
                "before fit."
            )
            return
        self._breaker.call(_WRITING, functools.partial(self._write, step, message))

    def _write(self, step: int, message: str) -> None:
        event = {"step": step, "message": message}
        capsule = build_capsule(self._model, self._buffer, self._blocks, event)
        folder = self._folder / f"capsule-{step}"
        capsule.save(folder)
        self.capsule = folder
        self._print_message(f"To find the origin, run: python -m keras_l4 replay {folder}")
