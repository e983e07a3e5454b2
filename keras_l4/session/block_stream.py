"""BlockStream: turns the rows on the device into blocks of steps, at the right time."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.circuit_breaker import CircuitBreaker
from keras_l4.recorder.block_builder import build_block
from keras_l4.recorder.reader import Reader, RingSlice
from keras_l4.recorder.recorder import Recorder
from keras_l4.records.block import StepBlock
from keras_l4.session.messages import warn_lost_steps
from keras_l4.session.read_schedule import ReadSchedule
from keras_l4.session.step_index import StepIndex

READING = "reading the recorder"


class BlockStream:
    """Reads one recorder.

    Attributes:
        last_slice: The last slice that has a sampled step, or the first one if none has; None
            before the first read.

    Args:
        name: Name of the optimizer that is recorded.
        reader: Reader of its ring buffers.
        schedule: When to read.
        breaker: Runs the parts that may fail.
        last_step: Number of the last step before the first unread one.
    """

    def __init__(
        self,
        name: str,
        reader: Reader,
        schedule: ReadSchedule,
        breaker: CircuitBreaker,
        last_step: int,
    ) -> None:
        self.last_slice: RingSlice | None = None
        self._name, self._reader = name, reader
        self._schedule, self._breaker = schedule, breaker
        self._step_index = StepIndex(last_step + 1, reader.num_rows)

    @property
    def recorder(self) -> Recorder:
        """The recorder that is read."""
        return self._reader.recorder

    def begin_epoch(self, epoch: int) -> None:
        """Begins an epoch. All steps before it must have been read."""
        self._step_index.begin_epoch(epoch, self._reader.num_calls)

    def record_loss(self, batch: int, loss: float) -> None:
        """Stores the loss that Keras reported for a batch of the current epoch."""
        self._step_index.record_loss(batch, loss)

    def read_due_blocks(self) -> Iterator[StepBlock]:
        """Yields the blocks to read before the next execution; requests later ones."""
        capacity = self.recorder.capacity
        if self._schedule.is_timed_out():
            yield from self.read_all_blocks()
        elif self._schedule.is_read_due(capacity):
            yield from self._next()
        elif not self._reader.has_pending_request and self._schedule.is_request_due(capacity):
            self._request()
        # Check this after a read, too: later steps may have filled the sample buffer.
        if self._schedule.are_samples_due(capacity, self._reader.num_rows):
            self._breaker.call("reading samples", self._reader.request_samples)
            self._schedule.mark_samples_requested()

    def read_all_blocks(self) -> Iterator[StepBlock]:
        """Yields all steps that were not read yet."""
        if self._reader.has_pending_request:
            yield from self._next()
        yield from self._next()

    def _request(self) -> None:
        self._breaker.call(READING, self._reader.request)
        self._schedule.mark_requested()

    def _next(self) -> Iterator[StepBlock]:
        if not self._reader.has_pending_request:
            self._request()
        self._schedule.mark_read()
        block = self._breaker.call(READING, self._read)
        if block is not None:
            yield block

    def _read(self) -> StepBlock | None:
        rows = self._reader.read()
        if rows is None:
            return None
        if self.last_slice is None or len(rows.sampled.t):
            self.last_slice = rows
        if rows.num_lost_rows:
            warn_lost_steps(rows)
        layout = self.recorder.layout
        return build_block(self._name, layout, rows, self._step_index, self._breaker.call)
