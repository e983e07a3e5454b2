"""Session: what the callbacks of one optimizer share while `fit` runs."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_l4 import backend
from keras_l4.callbacks._attempts import Attempts
from keras_l4.callbacks._calendar import Calendar
from keras_l4.callbacks._histograms import histograms
from keras_l4.callbacks._plan import Plan
from keras_l4.callbacks._trace import trace_of
from keras_l4.callbacks._witness import Witness
from keras_l4.events import BlockWriter, last_step
from keras_l4.quantities import registry
from keras_l4.recorder.assembly import assemble
from keras_l4.recorder.block import StepBlock
from keras_l4.recorder.notes import Note
from keras_l4.recorder.reader import Chunk, Reader

if TYPE_CHECKING:
    from keras_l4.callbacks._base import RecordingCallback

SECONDS_BETWEEN_READS = 5.0
WRITING = "writing event files"


class Session:
    """Records one optimizer during one `fit`: one recorder, one reader, one writer.

    Args:
        model: The model that is trained.
        optimizer: The optimizer that is recorded.
        members: The callbacks that share the session.

    Raises:
        ValueError: The callbacks contradict each other, or leave nothing to record.
    """

    def __init__(self, model: Any, optimizer: Any, members: Sequence[RecordingCallback]) -> None:
        self.members = members
        self.is_open = True
        self._plan = Plan.of([m.options for m in members], model, optimizer)
        self._optimizer = optimizer
        self._trace = trace_of(model)
        self._attempt = Attempts()
        self._reader: Reader | None = None
        self._calendar: Calendar | None = None
        self._chunk: Chunk | None = None
        self._epoch = 0
        self._pending = 0
        self._started = False
        self._read_at = time.monotonic()
        self._last_step = 0
        self._writer = self._attempt(WRITING, self._open_writer)
        self._last_step = max(self._last_step, int(optimizer.iterations))
        self._witness = Witness(model, optimizer, members, self._attempt, self._take_note)
        backend.on_fit_exit(self.close)
        quantities = dict.fromkeys(name for m in members for name in m.quantities)
        self._witness.meet(self._last_step)
        self._trace.start(optimizer, self._plan.settings(tuple(quantities)))
        self._meet_recorder()

    def _open_writer(self) -> BlockWriter | None:
        plan = self._plan
        if plan.run_dir is None:
            return None
        self._last_step = last_step(plan.run_dir)
        units = {name: quantity.unit for name, quantity in registry().items()}
        return BlockWriter(plan.run_dir, update_freq=plan.update_freq, by=plan.by, units=units)

    def _meet_recorder(self) -> None:
        """A model that is built by its first batch has a recorder only after that."""
        recorder = self._trace.recorder(self._optimizer)
        if self._reader is not None or recorder is None:
            return
        self._reader = Reader(recorder)
        if not self._started:
            self._reader.skip()
        first_step = self._last_step + 1
        self._calendar = Calendar(first_step, self._reader.num_rows)
        self._calendar.begin_epoch(self._epoch, self._reader.num_calls)
        self._witness.meet(self._last_step)

    def _take_note(self, note: Note) -> None:
        if self._writer is not None:
            self._attempt(WRITING, functools.partial(self._writer.write_note, note))
        for member in self.members:
            member.note(note)

    def begin_epoch(self, epoch: int) -> None:
        """Epoch `epoch` begins; all steps before it have been read."""
        self._epoch = epoch
        if self._calendar is not None and self._reader is not None:
            self._calendar.begin_epoch(epoch, self._reader.num_calls)

    def begin_batch(self) -> None:
        """Reads, where it is time: here the state of the step before is still there."""
        self._meet_recorder()
        late = time.monotonic() - self._read_at >= SECONDS_BETWEEN_READS
        if self._pending >= self._plan.flush_every or late:
            self.flush()
        elif self._reader is not None and self._a_sample_waits(self._reader.num_rows):
            self._attempt("reading samples", self._reader.read_samples)
        self._pending += self._plan.steps_per_execution
        self._started = True

    def _a_sample_waits(self, num_read: int) -> bool:
        """Whether one of the last execution's steps was due for a closer look."""
        end = num_read + self._pending
        begin = end - self._plan.steps_per_execution
        return self._pending > 0 and (end - 1) // self._plan.every > (begin - 1) // self._plan.every

    def end_batch(self, batch: int, loss: float | None) -> None:
        """Keeps the loss that Keras shows; called in any order, from any thread."""
        if self._calendar is not None and loss is not None:
            self._calendar.note_loss(batch, loss)

    def flush(self) -> None:
        """Reads what is new, and hands it to the writer, the hooks and the callbacks."""
        self._meet_recorder()
        self._read_at = time.monotonic()
        self._pending = 0
        block = self._attempt("reading the recorder", self._read)
        if block is not None:
            self._deliver(block)

    def _read(self) -> StepBlock | None:
        if self._reader is None or self._calendar is None:
            return None
        chunk = self._reader.read()
        if chunk is None:
            return None
        self._chunk = chunk
        if chunk.num_lost:
            self._attempt.warn(
                f"{chunk.num_lost} steps before row {chunk.first} were overwritten before they "
                "were read: the optimizer was called more often than once a batch. Set "
                "flush_every to the number of steps between two batches that callbacks see."
            )
        layout = self._reader.recorder.layout
        return assemble(self._optimizer.name, layout, chunk, self._calendar, self._attempt)

    def _deliver(self, block: StepBlock) -> None:
        self._last_step = int(block.steps[-1])
        if self._writer is not None:
            self._attempt(WRITING, functools.partial(self._writer.write, block))
        for member in self.members:
            for hook in member.options.hooks:
                self._attempt(f"hook {hook!r}", functools.partial(hook, block))
        for member in self.members:
            member.observe(block)

    def end_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Everything up to here is read; histograms are written where they are due."""
        self.flush()
        self._witness.end_epoch(self._last_step, epoch, logs)
        every = self._plan.histogram_freq
        if every and (epoch + 1) % every == 0:
            self._attempt("writing histograms", self._write_histograms)

    def _write_histograms(self) -> None:
        if self._chunk and self._reader and self._writer:
            values = histograms(self._reader.recorder, self._chunk)
            self._writer.write_histograms(self._last_step, values)

    def finish(self) -> None:
        """`fit` came to its end: a last look, and the last word of the callbacks."""
        self.flush()
        self._witness.finish(self._last_step)
        text = "\n\n".join(filter(None, [member.end_training() for member in self.members]))
        if text and self._writer is not None:
            self._attempt(WRITING, functools.partial(self._writer.write_findings, text))
        self.close()

    def close(self) -> None:
        """Reads the rest and leaves the optimizer and the model as they were; once."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            self.flush()
        finally:
            self._trace.stop(self._optimizer)
            if self._writer is not None:
                self._close_writer(self._writer)

    def _close_writer(self, writer: BlockWriter) -> None:
        # Also one that failed: its file is still open.
        try:
            writer.close()
        except OSError as error:
            self._attempt.switch_off(WRITING, error)
