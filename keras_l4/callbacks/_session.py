"""Session: what the callbacks of one optimizer share while `fit` runs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_l4 import backend
from keras_l4.callbacks import _missing_steps
from keras_l4.callbacks._calendar import Calendar
from keras_l4.callbacks._filing import Filing
from keras_l4.callbacks._fuse import Fuse
from keras_l4.callbacks._guarding import guard_mode
from keras_l4.callbacks._histograms import histograms
from keras_l4.callbacks._last_words import last_words
from keras_l4.callbacks._pace import Pace
from keras_l4.callbacks._plan import Plan
from keras_l4.callbacks._switch import Switch
from keras_l4.callbacks._witness import Witness
from keras_l4.recorder.assembly import assemble
from keras_l4.recorder.block import StepBlock
from keras_l4.recorder.notes import Note
from keras_l4.recorder.reader import Chunk, Reader

_READING = "reading the recorder"

if TYPE_CHECKING:
    from keras_l4.callbacks._base import RecordingCallback


class Session:
    """Records one optimizer during one `fit`: one recorder, one reader, one writer.

    Args:
        plan: What the members agree on.
        model: The model that is trained.
        optimizer: The optimizer that is recorded.
        switch: Makes it record.
        members: The callbacks that share the session.

    Raises:
        ValueError: The callbacks do not agree, leave nothing to record, or write where others do.
    """

    def __init__(
        self,
        plan: Plan,
        model: Any,
        optimizer: Any,
        switch: Switch,
        members: Sequence[RecordingCallback],
    ) -> None:
        self.members, self.is_open, self.run_dir = members, True, plan.run_dir
        self.guard = guard_mode(members)
        self._plan, self._optimizer, self._switch = plan, optimizer, switch
        self._fuse, self._pace = Fuse(), Pace(plan.every, plan.steps_per_execution)
        self._reader: Reader | None = None
        self._calendar: Calendar | None = None
        self._chunk: Chunk | None = None
        self._epoch, self._started = 0, False
        self._filing = Filing(plan, optimizer, self._fuse)
        self._last_step = max(self._filing.previous_step, backend.num_iterations(optimizer))
        self._witness = Witness(model, optimizer, members, self._fuse, self.take_note)
        backend.on_fit_exit(self.close)
        quantities = dict.fromkeys(name for m in members for name in m.quantities)
        self._witness.meet(self._last_step)
        self._switch.start(optimizer, plan.settings(tuple(quantities), self.guard))
        self._meet_recorder()

    @property
    def saw_steps(self) -> bool:
        """Whether any step was read so far."""
        return self._chunk is not None

    @property
    def last_step(self) -> int:
        """Number of the last step that was read, or of the last one before this `fit`."""
        return self._last_step

    def _meet_recorder(self) -> None:
        """A model that is built by its first batch has a recorder only after that."""
        recorder = self._switch.recorder(self._optimizer)
        if self._reader is not None or recorder is None:
            return
        self._reader = Reader(recorder)
        _missing_steps.tell_of_overwritten(recorder.layout, self.members[0].say)
        if not self._started:
            self._reader.skip()
        self._calendar = Calendar(self._last_step + 1, self._reader.num_rows)
        self._calendar.begin_epoch(self._epoch, self._reader.num_calls)
        self._witness.meet(self._last_step)

    def take_note(self, note: Note) -> None:
        """Writes a note, and hands it to the members."""
        self._filing.write_note(note)
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
        if self._reader is not None:
            self._keep_pace(self._reader)
        self._pace.begin_execution()
        self._started = True

    def _keep_pace(self, reader: Reader) -> None:
        room = reader.recorder.room
        if self._pace.is_read_due(room):
            self.flush()
        elif self._pace.are_samples_due(room, reader.num_rows):
            self._fuse.attempt("reading samples", reader.ask_for_samples)
            self._pace.note_sampling()

    def end_batch(self, batch: int, loss: float | None) -> None:
        """Keeps the loss that Keras shows; called in any order, from any thread."""
        if self._calendar is not None and loss is not None:
            self._calendar.note_loss(batch, loss)

    def catch_up(self) -> None:
        """Reads all steps so far, where a batch begins already."""
        self.flush()
        self._pace.begin_execution()

    def flush(self) -> None:
        """Reads what is new, and hands it to the writer, the hooks and the callbacks."""
        self._meet_recorder()
        self._pace.restart()
        block = self._fuse.attempt(_READING, self._read)
        if block is not None:
            self._deliver(block)

    def _read(self) -> StepBlock | None:
        chunk = self._reader.read() if self._reader else None
        if chunk is None or self._reader is None or self._calendar is None:
            return None
        self._chunk = chunk
        if chunk.num_lost:
            _missing_steps.tell_of_lost_steps(chunk)
        layout = self._reader.recorder.layout
        return assemble(self._optimizer.name, layout, chunk, self._calendar, self._fuse.attempt)

    def _deliver(self, block: StepBlock) -> None:
        if self._filing.previous_step:
            _missing_steps.tell_of_earlier_run(
                block, self._filing.previous_step, self.members[0].say
            )
        self._last_step = int(block.steps[-1])
        self._filing.write(block)
        for member in self.members if backend.is_first_process() else ():
            for hook in member.options.hooks:
                self._fuse.attempt(f"hook {hook!r}", functools.partial(hook, block))
        with contextlib.ExitStack() as stack:
            # What one raises keeps the block from none of the others.
            for member in reversed(self.members):
                stack.callback(member.observe, block)

    def end_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Everything up to here is read; histograms are written where they are due."""
        self.flush()
        self._witness.end_epoch(self._last_step, epoch, logs)
        every = self._plan.histogram_freq
        if every and (epoch + 1) % every == 0:
            self._fuse.attempt("writing histograms", self._write_histograms)

    def _write_histograms(self) -> None:
        if self._chunk and self._reader:
            values = histograms(self._reader.recorder, self._chunk)
            self._filing.write_histograms(self._last_step, values)

    def finish(self) -> None:
        """Training came to its end: a last look, and the last word of the callbacks."""
        self.flush()
        if self._started and not (self.saw_steps or self._fuse.is_off(_READING)):
            _missing_steps.tell_of_no_step(self._optimizer.name)
        self._witness.finish(self._last_step)
        self._filing.write_findings(last_words(self.members))
        self.close()

    def close(self) -> None:
        """Reads the rest and leaves the optimizer and the model as they were; once."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            self.flush()
            self._witness.leave(self._last_step)
        finally:
            self._switch.stop(self._optimizer)
            self._filing.close()
