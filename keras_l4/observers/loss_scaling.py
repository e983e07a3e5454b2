"""LossScalingReport: steps that dynamic loss scaling skips, and its stalls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_l4.observers.base import NonFiniteAction, Observer, ObserverContext, react
from keras_l4.records.block import StepBlock
from keras_l4.records.loss_scaling import LossScaleStall, StallDetector


class LossScalingReport(Observer):
    """Logs `num_skipped_steps`, the number of skipped steps of the epoch; reacts to a stall.

    Attributes:
        stalls: The stalls so far.

    Args:
        on_nonfinite: Reaction to a stall.
    """

    def __init__(self, on_nonfinite: NonFiniteAction) -> None:
        self._on_nonfinite = on_nonfinite
        self._detector = StallDetector()
        self._scales_loss = False
        self.stalls: list[LossScaleStall] = []
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._num_skipped = 0

    def observe(self, block: StepBlock, context: ObserverContext) -> None:
        self._scales_loss = context.scales_loss
        self._num_skipped += int(np.count_nonzero(block.skipped))
        stalls = self._detector.observe(block)
        self.stalls += stalls
        for stall in stalls:
            react(self._on_nonfinite, str(stall), int(block.steps[-1]), "", context)

    def epoch_logs(self) -> Mapping[str, float]:
        return {"num_skipped_steps": self._num_skipped} if self._scales_loss else {}
