"""Observers: what a callback does with the blocks it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_l4.observers.base import Action, Observer, act
from keras_l4.records.block import StepBlock
from keras_l4.records.loss_scaling import LossScaleStall, StallWatch

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


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
