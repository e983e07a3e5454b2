"""Observers: what a callback does with the blocks it gets."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from keras_l4.recorder.block import StepBlock
from keras_l4.recorder.loss_scale import LossScaleStall, StallWatch
from keras_l4.recorder.nonfinite import NonFinite, nonfinite_events
from keras_l4.recorder.notes import Note

if TYPE_CHECKING:
    from keras_l4.callbacks._base import RecordingCallback

Action = Literal["warn", "stop", "raise"]
RecorderAction = Action | Literal["skip"]


class Observer(abc.ABC):
    """Looks at every block, and has something to say at the end of an epoch and of `fit`.

    Attributes:
        takes_notes: Whether it wants to know about the model and its data, too.
    """

    takes_notes = False

    def note(self, note: Note) -> None:  # noqa: B027 (most take none)
        """Looks at a note; called where `takes_notes`."""

    def judge(self, callback: RecordingCallback) -> None:  # noqa: B027 (most find nothing)
        """Publishes what it found in the whole of the training; called before any last word."""

    def end_training(self, callback: RecordingCallback) -> str:
        """A last word, in Markdown."""
        return ""

    @abc.abstractmethod
    def begin_epoch(self) -> None:
        """Starts anew."""

    @abc.abstractmethod
    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        """Looks at a block."""

    @abc.abstractmethod
    def epoch_logs(self) -> Mapping[str, float]:
        """What the progress bar, `History` and the callbacks listed later get."""


class MeanGradientNorm(Observer):
    """`gradient_norm`: the global norm, mean over the epoch's finite steps, NaN if none is."""

    def begin_epoch(self) -> None:
        self._norms: list[np.ndarray] = []

    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        norms = block.global_gradient_norm
        self._norms.append(norms[np.isfinite(norms)])

    def epoch_logs(self) -> Mapping[str, float]:
        norms = np.concatenate([*self._norms, np.empty(0)])
        return {"gradient_norm": float(norms.mean()) if len(norms) else float("nan")}


class NonFiniteReport(Observer):
    """`num_nonfinite`: the epoch's steps with a non-finite gradient; and a word on the first.

    A step that loss scaling skips did no harm, and is how it finds its scale: it is an event, but
    nothing is done about it.

    Args:
        action: What to do about it.

    Raises:
        ValueError: `action` is no such action.
    """

    def __init__(self, action: Action) -> None:
        if action not in ("warn", "stop", "raise"):
            raise ValueError(f'action={action!r}: expected "warn", "stop" or "raise".')
        self._action = action
        self._last_step: int | None = None
        self.events: list[NonFinite] = []
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._num_nonfinite = 0

    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        found = nonfinite_events(block)
        self.events += found
        self._num_nonfinite += len({e.step for e in found if e.kind != "overflow"})
        events = [event for event in found if not event.skipped]
        if not events:
            return
        goes_on = self._last_step is not None and events[0].step <= self._last_step + 1
        self._last_step = events[-1].step
        if not goes_on:
            self._tell(events, int(block.steps[-1]), callback)

    def _tell(self, events: Sequence[NonFinite], read_at: int, callback: RecordingCallback) -> None:
        first = events[0]
        others = sum(e.step == first.step for e in events) - 1
        message = f"{first}" + (f", and {others} more variables" if others else "")
        act(self._action, message, _consequence(first, read_at, callback), callback)

    def epoch_logs(self) -> Mapping[str, float]:
        return {"num_nonfinite": self._num_nonfinite}


class SkippedSteps(Observer):
    """`num_skipped_steps`: the epoch's steps that loss scaling skipped; and a word on a stall.

    Args:
        action: What to do about a stall.
    """

    def __init__(self, action: Action) -> None:
        self._action = action
        self._watch = StallWatch()
        self._scales_loss = False
        self.stalls: list[LossScaleStall] = []
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._num_skipped = 0

    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        self._scales_loss = callback.scales_loss
        self._num_skipped += int(np.count_nonzero(block.skipped))
        stalls = self._watch.observe(block)
        self.stalls += stalls
        for stall in stalls:
            consequence = f"takes effect now, after step {block.steps[-1]}."
            act(self._action, str(stall), consequence, callback)

    def epoch_logs(self) -> Mapping[str, float]:
        return {"num_skipped_steps": self._num_skipped} if self._scales_loss else {}


def _consequence(first: NonFinite, read_at: int, callback: RecordingCallback) -> str:
    when = f"takes effect now, after step {read_at}: the weights "
    if callback.holds_updates:
        return f"{when}are those before step {first.step}."
    return f"{when}since step {first.step} are not protected."


def act(action: Action, message: str, consequence: str, callback: RecordingCallback) -> None:
    """Says what was found, and does what was asked for in that case.

    Raises:
        FloatingPointError: `action` is `"raise"`.
    """
    if action == "warn":
        callback.say(message + ".")
        return
    whole = f'{message}. action="{action}" {consequence}'
    if action == "raise":
        raise FloatingPointError(whole)
    callback.say(whole)
    callback.stop_training()
