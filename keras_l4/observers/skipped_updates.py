"""SkippedUpdates: the steps whose updates a flight recorder has skipped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_l4.observers.base import Observer, ObserverContext
from keras_l4.records.block import StepBlock

MAX_SKIPS = 10


class SkippedUpdates(Observer):
    """Logs `num_skipped_steps`, the number of skipped steps of the epoch.

    Ends training after more than `max_skips` in a row.

    Args:
        max_skips: The number of consecutive steps that may be skipped.
    """

    def __init__(self, max_skips: int) -> None:
        self._max_skips = max_skips
        self._num_skipped_by_guard = self._num_consecutive = 0
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._num_skipped = 0

    def observe(self, block: StepBlock, context: ObserverContext) -> None:
        is_skipped = block.skipped_by_guard
        self._num_skipped += int(np.count_nonzero(block.skipped))
        self._num_skipped_by_guard += int(np.count_nonzero(is_skipped))
        for step, skipped in zip(block.steps.tolist(), is_skipped.tolist(), strict=True):
            self._num_consecutive = self._num_consecutive + 1 if skipped else 0
            if self._num_consecutive > self._max_skips:
                raise FloatingPointError(
                    f"step {step}: the gradients of {self._num_consecutive} consecutive steps were "
                    f"not finite, more than max_skips={self._max_skips}. Their updates were "
                    "skipped: the weights are those from before these steps."
                )

    def epoch_logs(self) -> Mapping[str, float]:
        return {"num_skipped_steps": self._num_skipped}

    def end_training(self, context: ObserverContext) -> str:
        if self._num_skipped_by_guard:
            context.print_message(
                "steps skipped, since their gradients were not finite: "
                f"{self._num_skipped_by_guard}"
            )
        self._num_skipped_by_guard = self._num_consecutive = 0
        return ""
