"""Session: what the callbacks of one optimizer share while `fit` runs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from keras_l4 import backend, keras_internals
from keras_l4.circuit_breaker import CircuitBreaker
from keras_l4.inspection.inspector import ModelInspector
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.reader import Reader
from keras_l4.recorder.recorder import Recorder
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.session.block_stream import READING, BlockStream
from keras_l4.session.config import SessionConfig
from keras_l4.session.histograms import histograms
from keras_l4.session.member import SessionMember
from keras_l4.session.messages import print_earlier_run, print_overwritten_variables, warn_no_step
from keras_l4.session.read_schedule import ReadSchedule
from keras_l4.session.run_writer import RunWriter


class Instrumentation(Protocol):
    """Makes an optimizer record: `FitInstrumentation` in `fit`, `LoopInstrumentation` elsewhere."""

    def start(self, optimizer: Any, config: RecorderConfig) -> None:
        """Makes `optimizer` record from the next step on."""

    def stop(self, optimizer: Any) -> None:
        """Restores `optimizer`."""

    def recorder(self, optimizer: Any) -> Recorder | None:
        """Returns the recorder of `optimizer`; None until the optimizer is built."""


class Session:
    """Records one optimizer during one `fit`: one recorder, one reader, one writer.

    Args:
        config: Merged settings of the members.
        model: The model that is trained.
        optimizer: The optimizer that is recorded.
        instrumentation: Makes it record.
        members: The callbacks that share the session.

    Raises:
        ValueError: No variable is left to record, or another session writes to the directory.
    """

    def __init__(
        self,
        config: SessionConfig,
        model: Any,
        optimizer: Any,
        instrumentation: Instrumentation,
        members: Sequence[SessionMember],
    ) -> None:
        self.members, self.is_open, self.run_dir = members, True, config.run_dir
        self._config, self._optimizer = config, optimizer
        self._instrumentation = instrumentation
        self._breaker, self._schedule = CircuitBreaker(), _read_schedule(config, members)
        self._stream: BlockStream | None = None
        self._epoch, self._has_begun = 0, False
        self._writer = RunWriter(config, optimizer, self._breaker)
        self._last_step = max(self._writer.previous_step, keras_internals.num_iterations(optimizer))
        self._inspector = self._make_inspector(model)
        keras_internals.on_fit_exit(self.close)
        self._inspector.on_model_built(self._last_step)
        self._instrumentation.start(optimizer, config.recorder)
        self._open_stream()

    def _make_inspector(self, model: Any) -> ModelInspector:
        """Creates the inspector, which reads the data only if all members that use it allow that."""
        interested = [member for member in self.members if member.wants_annotations]
        return ModelInspector(
            model,
            self._optimizer,
            self._breaker,
            self.add_annotation,
            is_enabled=bool(interested),
            may_read_data=all(member.options.look_at_data for member in interested),
            rules=next((tuple(member.rules) for member in interested if member.rules), ()),
        )

    @property
    def has_read_steps(self) -> bool:
        """True if any step was read so far."""
        return self._stream is not None and self._stream.last_slice is not None

    @property
    def last_step(self) -> int:
        """Number of the last step that was read, or of the last one before this `fit`."""
        return self._last_step

    @property
    def skips_updates(self) -> bool:
        """True if updates with non-finite gradients are skipped."""
        return self._config.recorder.guard_mode != "off"

    def _open_stream(self) -> None:
        """Starts reading, once there is a recorder: a model may be built by its first batch."""
        recorder = self._instrumentation.recorder(self._optimizer)
        if self._stream is not None or recorder is None:
            return
        reader = Reader(recorder)
        print_overwritten_variables(recorder.layout, self.members[0].print_message)
        if not self._has_begun:
            reader.discard_unread()
        name, last_step = self._optimizer.name, self._last_step
        self._stream = BlockStream(name, reader, self._schedule, self._breaker, last_step)
        self._stream.begin_epoch(self._epoch)
        self._inspector.on_model_built(last_step)

    def add_annotation(self, annotation: Annotation) -> None:
        """Writes an annotation, and passes it to the members."""
        self._writer.write_annotation(annotation)
        for member in self.members:
            member.add_annotation(annotation)

    def begin_epoch(self, epoch: int) -> None:
        """Begins an epoch. All steps before it have been read."""
        self._epoch = epoch
        if self._stream is not None:
            self._stream.begin_epoch(epoch)

    def begin_batch(self) -> None:
        """Reads the steps that are due.

        Reads before the step starts, because JAX then reuses the memory of the previous state.
        """
        self._open_stream()
        for block in self._stream.read_due_blocks() if self._stream else ():
            self._deliver(block)
        self._schedule.begin_execution()
        self._has_begun = True

    def end_batch(self, batch: int, loss: float | None) -> None:
        """Stores the loss that Keras reports. May be called in any order, from any thread."""
        if self._stream is not None and loss is not None:
            self._stream.record_loss(batch, loss)

    def read_all_steps_at_batch_begin(self) -> None:
        """Reads all steps so far, after `begin_batch` was called for the next one."""
        if self._stream is not None:
            self.read_all_steps()
            # `read_all_steps` also marked the beginning step as read; count it again.
            self._schedule.begin_execution()

    def read_all_steps(self) -> None:
        """Reads all new steps, and passes them to the writer, the hooks and the members."""
        self._open_stream()
        for block in self._stream.read_all_blocks() if self._stream else ():
            self._deliver(block)

    def _deliver(self, block: StepBlock) -> None:
        if self._writer.previous_step:
            print_earlier_run(block, self._writer.previous_step, self.members[0].print_message)
        self._last_step = int(block.steps[-1])
        self._writer.write(block)
        for member in self.members if backend.distribution.is_first_process() else ():
            for hook in member.options.hooks:
                self._breaker.call(f"hook {hook!r}", functools.partial(hook, block))
        with contextlib.ExitStack() as stack:
            # All members receive the block, even if one of them raises to end training.
            for member in reversed(self.members):
                stack.callback(member.observe, block)

    def end_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Reads all steps of the epoch; writes histograms if they are due."""
        self.read_all_steps()
        self._inspector.end_epoch(self._last_step, epoch, logs)
        freq = self._config.histogram_freq
        if freq and (epoch + 1) % freq == 0:
            self._breaker.call("writing histograms", self._write_histograms)

    def _write_histograms(self) -> None:
        if self._stream and self._stream.last_slice:
            values = histograms(self._stream.recorder, self._stream.last_slice)
            self._writer.write_histograms(self._last_step, values)

    def finish(self) -> None:
        """Ends a training that was not interrupted: the members report their results."""
        self.read_all_steps()
        if self._has_begun and not (self.has_read_steps or self._breaker.is_disabled(READING)):
            warn_no_step(self._optimizer.name)
        self._inspector.finish(self._last_step)
        self._writer.write_findings(final_report(self.members))
        self.close()

    def close(self) -> None:
        """Reads the remaining steps, and restores the optimizer and the model. Runs once."""
        if not self.is_open:
            return
        self.is_open = False
        with contextlib.ExitStack() as stack:
            # Run in reverse order, each even if another one raises.
            stack.callback(self._writer.close)
            stack.callback(self._instrumentation.stop, self._optimizer)
            stack.callback(lambda: self._inspector.on_fit_exit(self._last_step))
            self.read_all_steps()


def _read_schedule(config: SessionConfig, members: Sequence[SessionMember]) -> ReadSchedule:
    """Does not prefetch if a member may stop training or keeps steps for a replay.

    Such a member must see each step as early as possible.
    """
    prefetches = all(m.on_nonfinite == "warn" and not m.has_flight_recorder for m in members)
    return ReadSchedule(config.recorder.every, config.recorder.steps_per_execution, prefetches)


def final_report(members: Sequence[SessionMember]) -> str:
    """Returns the reports of all members, in Markdown.

    Runs in three passes so that callback order does not matter: evaluate all rules, take the
    measurements they request, then report.
    """
    for member in members:
        member.evaluate_rules()
    for member in members:
        member.run_requested_measurements()
    return "\n\n".join(filter(None, [member.end_training() for member in members]))
