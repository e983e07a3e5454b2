"""Session: what the callbacks of one optimizer share while `fit` runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from keras_l4 import backend
from keras_l4.callbacks._calendar import Calendar
from keras_l4.callbacks._clock import Clock
from keras_l4.callbacks._fuse import Fuse, warn
from keras_l4.callbacks._histograms import histograms
from keras_l4.callbacks._plan import Plan
from keras_l4.callbacks._switch import Switch
from keras_l4.events import BlockWriter, last_step
from keras_l4.quantities import registry
from keras_l4.recorder.assembly import assemble
from keras_l4.recorder.block import StepBlock
from keras_l4.recorder.reader import Chunk, Reader

if TYPE_CHECKING:
    from keras_l4.callbacks._base import RecordingCallback

WRITING = "writing event files"

_writing: WeakValueDictionary[Path, Session] = WeakValueDictionary()


class Session:
    """Records one optimizer during one `fit`: one recorder, one reader, one writer.

    Args:
        plan: What the members agree on.
        optimizer: The optimizer that is recorded.
        switch: Makes it record.
        members: The callbacks that share the session.

    Raises:
        ValueError: The callbacks leave nothing to record, or another session writes there.
    """

    def __init__(
        self, plan: Plan, optimizer: Any, switch: Switch, members: Sequence[RecordingCallback]
    ) -> None:
        self.members = members
        self.is_open = True
        self._plan = plan
        self._optimizer = optimizer
        self._switch = switch
        self._fuse = Fuse()
        self._reader: Reader | None = None
        self._calendar: Calendar | None = None
        self._chunk: Chunk | None = None
        self._epoch = self._pending = self._previous_step = 0
        self._started = False
        self._clock = Clock()
        self._claim(plan.run_dir)
        self._writer = self._fuse.attempt(WRITING, self._open_writer)
        backend.on_fit_exit(self.close)
        quantities = dict.fromkeys(name for m in members for name in m.quantities)
        self._switch.start(optimizer, self._plan.settings(tuple(quantities)))
        self._meet_recorder()

    @property
    def saw_steps(self) -> bool:
        """Whether any step was read so far."""
        return self._chunk is not None

    def _claim(self, folder: Path | None) -> None:
        """TensorBoard stops reading the older of two files that are written side by side."""
        if folder is None:
            return
        other = _writing.get(folder)
        if other is not None and other.is_open and other._optimizer is not self._optimizer:
            raise ValueError(
                f"{folder} is being written for another optimizer. Give the optimizers different "
                "names, or their callbacks different log_dirs."
            )
        _writing[folder] = self

    def _open_writer(self) -> BlockWriter | None:
        plan = self._plan
        if plan.run_dir is None:
            return None
        self._previous_step = last_step(plan.run_dir)
        if not backend.is_first_process():
            return None
        units = {name: quantity.unit for name, quantity in registry().items()}
        return BlockWriter(plan.run_dir, update_freq=plan.update_freq, by=plan.by, units=units)

    def _meet_recorder(self) -> None:
        """A model that is built by its first batch has a recorder only after that."""
        recorder = self._switch.recorder(self._optimizer)
        if self._reader is not None or recorder is None:
            return
        self._reader = Reader(recorder)
        if overwritten := recorder.layout.overwritten:
            self.members[0].say(
                f"not recorded: {', '.join(overwritten)}. They are set to what stands for their "
                "gradient."
            )
        if not self._started:
            self._reader.skip()
        iterations = 0 if self._started else backend.num_iterations(self._optimizer)
        first_step = max(self._previous_step, iterations) + 1
        self._calendar = Calendar(first_step, self._reader.num_rows)
        self._calendar.begin_epoch(self._epoch, self._reader.num_calls)

    def begin_epoch(self, epoch: int) -> None:
        """Epoch `epoch` begins; all steps before it have been read."""
        self._epoch = epoch
        if self._calendar is not None and self._reader is not None:
            self._calendar.begin_epoch(epoch, self._reader.num_calls)

    def begin_batch(self) -> None:
        """Reads, where it is time: here the state of the step before is still there."""
        self._meet_recorder()
        if self._pending >= self._plan.flush_every or self._clock.is_late:
            self.flush()
        elif self._reader is not None and self._a_sample_waits(self._reader.num_rows):
            self._fuse.attempt("reading samples", self._reader.read_samples)
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
        self._clock.restart()
        self._pending = 0
        block = self._fuse.attempt("reading the recorder", self._read)
        if block is not None:
            self._deliver(block)

    def _read(self) -> StepBlock | None:
        chunk = self._reader.read() if self._reader else None
        if chunk is None or self._reader is None or self._calendar is None:
            return None
        self._chunk = chunk
        if chunk.num_lost:
            warn(
                f"{chunk.num_lost} steps before row {chunk.first} were overwritten before they "
                "were read: the optimizer was called more often than once a batch. Set "
                "flush_every to the number of steps between two batches that callbacks see, or "
                "call step() after each step of a loop of your own."
            )
        layout = self._reader.recorder.layout
        return assemble(self._optimizer.name, layout, chunk, self._calendar, self._fuse.attempt)

    def _deliver(self, block: StepBlock) -> None:
        if self._writer is not None:
            self._fuse.attempt(WRITING, functools.partial(self._writer.write, block))
        for member in self.members if backend.is_first_process() else ():
            for hook in member.options.hooks:
                self._fuse.attempt(f"hook {hook!r}", functools.partial(hook, block))
        for member in self.members:
            member.observe(block)

    def end_epoch(self, epoch: int) -> None:
        """Everything up to here is read; histograms are written where they are due."""
        self.flush()
        every = self._plan.histogram_freq
        if every and (epoch + 1) % every == 0:
            self._fuse.attempt("writing histograms", self._write_histograms)

    def _write_histograms(self) -> None:
        if not (self._chunk and self._reader and self._calendar and self._writer):
            return
        rows = self._chunk.first + len(self._chunk.every_step.t) - 1
        step = int(self._calendar.steps(np.array(rows)))
        self._writer.write_histograms(step, histograms(self._reader.recorder, self._chunk))

    def close(self) -> None:
        """Reads the rest and leaves the optimizer and the model as they were; once."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            self.flush()
        finally:
            self._switch.stop(self._optimizer)
            if self._writer is not None:
                self._fuse.finish(WRITING, self._writer.close)
