"""Observers: what a callback does with the blocks it gets."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


Action = Literal["warn", "stop", "raise"]
RecorderAction = Action | Literal["skip"]


class Observer(abc.ABC):
    """Looks at every block, and has something to say at the end of an epoch and of `fit`.

    Attributes:
        takes_notes: Whether it wants to know about the model and its data, too.
    """

    takes_notes = False

    def note(self, note: Annotation) -> None:  # noqa: B027 (most take none)
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
