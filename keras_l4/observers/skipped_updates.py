"""HeldSteps: the steps whose updates a flight recorder held back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_l4.observers.base import Observer
from keras_l4.records.block import StepBlock

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


MAX_SKIPS = 10


class SkippedUpdates(Observer):
    """`num_skipped_steps`: the epoch's steps that were not applied; and an end to too many.

    Args:
        max_skips: How many in a row are put up with.
    """

    def __init__(self, max_skips: int) -> None:
        self._max_skips = max_skips
        self._num_held = self._num_in_a_row = 0
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._num_skipped = 0

    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        self._num_skipped += int(np.count_nonzero(block.skipped))
        self._num_held += int(np.count_nonzero(block.held))
        for step, held in zip(block.steps.tolist(), block.held.tolist(), strict=True):
            self._num_in_a_row = self._num_in_a_row + 1 if held else 0
            if self._num_in_a_row > self._max_skips:
                raise FloatingPointError(
                    f"step {step}: the gradients of {self._num_in_a_row} steps in a row were not "
                    f"finite, more than max_skips={self._max_skips}. Their updates were not "
                    "applied: the weights are those before them."
                )

    def epoch_logs(self) -> Mapping[str, float]:
        return {"num_skipped_steps": self._num_skipped}

    def end_training(self, callback: RecordingCallback) -> str:
        if self._num_held:
            callback.say(f"steps skipped, since their gradients were not finite: {self._num_held}")
        self._num_held = self._num_in_a_row = 0
        return ""
