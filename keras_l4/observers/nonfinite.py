"""NonFiniteReport: NaN and Inf in gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_l4.observers.base import NonFiniteAction, Observer, ObserverContext, react
from keras_l4.records.block import StepBlock
from keras_l4.records.nonfinite import NonFinite, nonfinite_events


class NonFiniteReport(Observer):
    """Logs `num_nonfinite`, the number of steps of the epoch with NaN or Inf.

    Reacts to the first of these steps. Consecutive non-finite steps are reported once. A step that loss scaling skips is an event but
    triggers no reaction: skipping is how loss scaling finds its scale.

    Attributes:
        events: The events so far.

    Args:
        on_nonfinite: Reaction to a non-finite gradient.

    Raises:
        ValueError: `on_nonfinite` is not one of the three actions.
    """

    def __init__(self, on_nonfinite: NonFiniteAction) -> None:
        if on_nonfinite not in ("warn", "stop", "raise"):
            raise ValueError(f'on_nonfinite={on_nonfinite!r}: expected "warn", "stop" or "raise".')
        self._on_nonfinite = on_nonfinite
        self._last_step: int | None = None
        self.events: list[NonFinite] = []
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._num_nonfinite = 0

    def observe(self, block: StepBlock, context: ObserverContext) -> None:
        events = nonfinite_events(block)
        self.events += events
        self._num_nonfinite += len({event.step for event in events if event.kind != "overflow"})
        applied = [event for event in events if not event.skipped]
        if not applied:
            return
        is_continued = self._last_step is not None and applied[0].step <= self._last_step + 1
        self._last_step = applied[-1].step
        if not is_continued:
            self._react(applied, int(block.steps[-1]), context)

    def _react(self, events: Sequence[NonFinite], step: int, context: ObserverContext) -> None:
        first = events[0]
        num_others = sum(event.step == first.step for event in events) - 1
        problem = f"{first}" + (f", and {num_others} more variables" if num_others else "")
        consequence = (
            f"The weights are those before step {first.step}."
            if context.skips_updates
            else f"The weights contain the updates since step {first.step}: without a "
            "FlightRecorder they are not protected."
        )
        react(self._on_nonfinite, problem, step, consequence, context)

    def epoch_logs(self) -> Mapping[str, float]:
        return {"num_nonfinite": self._num_nonfinite}
