"""Reading: the steps that lie on the device become blocks, each in time."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.recorder.block_builder import assemble
from keras_l4.recorder.reader import Reader, RingSlice
from keras_l4.recorder.recorder import Recorder
from keras_l4.records.block import StepBlock
from keras_l4.session import messages as _missing_steps
from keras_l4.session.circuit_breaker import CircuitBreaker
from keras_l4.session.read_schedule import ReadSchedule
from keras_l4.session.step_index import StepIndex

READING = "reading the recorder"


class BlockStream:
    """Reads one recorder.

    Attributes:
        chunk: What was read last and has a closer look, or was read first; None where nothing was.

    Args:
        name: Of the optimizer that it records.
        reader: Of its rings.
        pace: When it is read.
        fuse: Runs what may fail.
        last_step: Number of the last step before those it reads.
    """

    def __init__(
        self, name: str, reader: Reader, pace: ReadSchedule, fuse: CircuitBreaker, last_step: int
    ) -> None:
        self.chunk: RingSlice | None = None
        self._name, self._reader, self._pace, self._fuse = name, reader, pace, fuse
        self._calendar = StepIndex(last_step + 1, reader.num_rows)

    @property
    def recorder(self) -> Recorder:
        """What it reads."""
        return self._reader.recorder

    def begin_epoch(self, epoch: int) -> None:
        """Epoch `epoch` begins; all steps before it have been read."""
        self._calendar.begin_epoch(epoch, self._reader.num_calls)

    def note_loss(self, batch: int, loss: float) -> None:
        """Keras showed this loss after this batch."""
        self._calendar.note_loss(batch, loss)

    def due(self) -> Iterator[StepBlock]:
        """What there is to be read before the next steps; asks for what will be."""
        room = self.recorder.room
        if self._pace.is_late():
            yield from self.rest()
        elif self._pace.is_read_due(room):
            yield from self._next()
        elif not self._reader.has_asked and self._pace.is_request_due(room):
            self._ask()
        # Also where rows are read: they were asked for some steps ago, and so were their samples.
        if self._pace.are_samples_due(room, self._reader.num_rows):
            self._fuse.attempt("reading samples", self._reader.ask_for_samples)
            self._pace.note_sampling()

    def rest(self) -> Iterator[StepBlock]:
        """All that was not read yet."""
        if self._reader.has_asked:
            yield from self._next()
        yield from self._next()

    def _ask(self) -> None:
        self._fuse.attempt(READING, self._reader.ask)
        self._pace.note_request()

    def _next(self) -> Iterator[StepBlock]:
        if not self._reader.has_asked:
            self._ask()
        self._pace.note_read()
        block = self._fuse.attempt(READING, self._read)
        if block is not None:
            yield block

    def _read(self) -> StepBlock | None:
        chunk = self._reader.read()
        if chunk is None:
            return None
        if self.chunk is None or len(chunk.looked.t):
            self.chunk = chunk
        if chunk.num_lost:
            _missing_steps.tell_of_lost_steps(chunk)
        layout = self.recorder.layout
        return assemble(self._name, layout, chunk, self._calendar, self._fuse.attempt)
