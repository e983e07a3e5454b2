"""Session: what the callbacks of one optimizer share while `fit` runs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_l4 import backend, keras_internals
from keras_l4.inspection.inspector import ModelInspector
from keras_l4.recorder.reader import Reader
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.session import messages as _missing_steps
from keras_l4.session.block_stream import READING, BlockStream
from keras_l4.session.circuit_breaker import CircuitBreaker
from keras_l4.session.config import SessionConfig, guard_mode
from keras_l4.session.histograms import histograms
from keras_l4.session.instrumentation import Instrumentation
from keras_l4.session.messages import last_words
from keras_l4.session.read_schedule import ReadSchedule
from keras_l4.session.run_writer import RunWriter

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


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
        plan: SessionConfig,
        model: Any,
        optimizer: Any,
        switch: Instrumentation,
        members: Sequence[RecordingCallback],
    ) -> None:
        self.members, self.is_open, self.run_dir = members, True, plan.run_dir
        self.guard = guard_mode(members)
        self._plan, self._optimizer, self._switch = plan, optimizer, switch
        # Who acts on what is read, or has to do it again, is told as early as can be.
        is_patient = all(m.action == "warn" and not m.keeps_steps for m in members)
        self._fuse, self._pace = (
            CircuitBreaker(),
            ReadSchedule(plan.every, plan.steps_per_execution, is_patient),
        )
        self._reading: BlockStream | None = None
        self._epoch, self._started = 0, False
        self._filing = RunWriter(plan, optimizer, self._fuse)
        self._last_step = max(self._filing.previous_step, keras_internals.num_iterations(optimizer))
        self._witness = ModelInspector(model, optimizer, members, self._fuse, self.take_note)
        keras_internals.on_fit_exit(self.close)
        quantities = dict.fromkeys(name for m in members for name in m.quantities)
        self._witness.meet(self._last_step)
        self._switch.start(optimizer, plan.settings(tuple(quantities), self.guard))
        self._meet_recorder()

    @property
    def saw_steps(self) -> bool:
        """Whether any step was read so far."""
        return self._reading is not None and self._reading.chunk is not None

    @property
    def last_step(self) -> int:
        """Number of the last step that was read, or of the last one before this `fit`."""
        return self._last_step

    def _meet_recorder(self) -> None:
        """A model that is built by its first batch has a recorder only after that."""
        recorder = self._switch.recorder(self._optimizer)
        if self._reading is not None or recorder is None:
            return
        reader = Reader(recorder)
        _missing_steps.tell_of_overwritten(recorder.layout, self.members[0].say)
        if not self._started:
            reader.skip()
        name, last_step = self._optimizer.name, self._last_step
        self._reading = BlockStream(name, reader, self._pace, self._fuse, last_step)
        self._reading.begin_epoch(self._epoch)
        self._witness.meet(last_step)

    def take_note(self, note: Annotation) -> None:
        """Writes a note, and hands it to the members."""
        self._filing.write_note(note)
        for member in self.members:
            member.note(note)

    def begin_epoch(self, epoch: int) -> None:
        """Epoch `epoch` begins; all steps before it have been read."""
        self._epoch = epoch
        if self._reading is not None:
            self._reading.begin_epoch(epoch)

    def begin_batch(self) -> None:
        """Reads, where it is time: here the state of the step before is still there."""
        self._meet_recorder()
        for block in self._reading.due() if self._reading else ():
            self._deliver(block)
        self._pace.begin_execution()
        self._started = True

    def end_batch(self, batch: int, loss: float | None) -> None:
        """Keeps the loss that Keras shows; called in any order, from any thread."""
        if self._reading is not None and loss is not None:
            self._reading.note_loss(batch, loss)

    def catch_up(self) -> None:
        """Reads all steps so far, where a batch begins already."""
        if self._reading is not None:
            self.flush()
            # Reading took the step that begins as read, too.
            self._pace.begin_execution()

    def flush(self) -> None:
        """Reads all that is new, and hands it to the writer, the hooks and the callbacks."""
        self._meet_recorder()
        for block in self._reading.rest() if self._reading else ():
            self._deliver(block)

    def _deliver(self, block: StepBlock) -> None:
        if self._filing.previous_step:
            _missing_steps.tell_of_earlier_run(
                block, self._filing.previous_step, self.members[0].say
            )
        self._last_step = int(block.steps[-1])
        self._filing.write(block)
        for member in self.members if backend.distribution.is_first_process() else ():
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
        if self._reading and self._reading.chunk:
            values = histograms(self._reading.recorder, self._reading.chunk)
            self._filing.write_histograms(self._last_step, values)

    def finish(self) -> None:
        """Training came to its end: a last look, and the last word of the callbacks."""
        self.flush()
        if self._started and not (self.saw_steps or self._fuse.is_off(READING)):
            _missing_steps.tell_of_no_step(self._optimizer.name)
        self._witness.finish(self._last_step)
        self._filing.write_findings(last_words(self.members))
        self.close()

    def close(self) -> None:
        """Reads the rest and leaves the optimizer and the model as they were; once."""
        if not self.is_open:
            return
        self.is_open = False
        with contextlib.ExitStack() as stack:
            # From the last to the first, whatever one of them raises.
            stack.callback(self._filing.close)
            stack.callback(self._switch.stop, self._optimizer)
            stack.callback(lambda: self._witness.leave(self._last_step))
            self.flush()
