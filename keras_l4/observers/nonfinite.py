"""Observers: what a callback does with the blocks it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from keras_l4.observers.base import Action, Observer, act
from keras_l4.records.block import StepBlock
from keras_l4.records.nonfinite import NonFinite, nonfinite_events

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


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


def _consequence(first: NonFinite, read_at: int, callback: RecordingCallback) -> str:
    when = f"takes effect now, after step {read_at}: the weights "
    if callback.holds_updates:
        return f"{when}are those before step {first.step}."
    return f"{when}since step {first.step} are not protected."
