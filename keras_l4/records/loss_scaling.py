"""Finds the steps at which loss scaling stalls.

Keras halves the loss scale after every overflow, without a limit and without a message, so that a
model whose gradients are never finite trains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from keras_l4.records.block import StepBlock

StallKind: TypeAlias = Literal["skipped", "scale"]

# A scale that is too large at the start is halved a few times. Ten halvings in a row are a factor
# of a thousand, and a healthy gradient does not grow by that from one step to the next.
MIN_STALL_LENGTH = 10
# A scale below 1 makes small gradients underflow, which loss scaling is meant to prevent.
_MIN_SCALE = 1.0


@dataclass(frozen=True)
class LossScaleStall:
    """A step at which loss scaling does not recover.

    Attributes:
        kind: `"skipped"` for the tenth skipped step in a row, `"scale"` for the step at which the
            loss scale falls below 1.
        step: Step number, from 1.
        epoch: Epoch, from 0.
        batch: Batch within the epoch, from 0.
        num_skipped: Number of consecutive skipped steps, up to and including this one.
        loss_scale: Loss scale of this step.
    """

    kind: StallKind
    step: int
    epoch: int
    batch: int
    num_skipped: int
    loss_scale: float

    def __str__(self) -> str:
        prefix = f"step {self.step} (epoch {self.epoch}, batch {self.batch}): "
        if self.kind == "scale":
            return prefix + (
                f"the loss scale fell to {self.loss_scale:g}; below 1 it makes gradients underflow"
            )
        return prefix + (
            f"{self.num_skipped} steps in a row were skipped, and the loss scale is "
            f"{self.loss_scale:g}; the weights no longer change"
        )


class StallDetector:
    """Finds stalls in consecutive blocks."""

    def __init__(self) -> None:
        self._num_skipped = 0
        self._last_scale = np.inf

    def observe(self, block: StepBlock) -> list[LossScaleStall]:
        """Returns the stalls that begin in this block, sorted by step."""
        skipped = block.skipped & ~block.skipped_by_guard
        candidates = np.flatnonzero(skipped | (block.loss_scale < _MIN_SCALE))
        stalls = [
            stall for row in candidates for stall in self._stalls_at(block, skipped, int(row))
        ]
        if len(block):
            self._num_skipped = _num_consecutive(skipped, len(block) - 1, self._num_skipped)
            self._last_scale = float(block.loss_scale[-1])
        return stalls

    def _stalls_at(
        self, block: StepBlock, skipped: np.ndarray, row: int
    ) -> Iterator[LossScaleStall]:
        num_skipped = _num_consecutive(skipped, row, self._num_skipped)
        previous_scale = block.loss_scale[row - 1] if row else self._last_scale
        kinds: dict[StallKind, bool] = {
            "skipped": num_skipped == MIN_STALL_LENGTH,
            "scale": bool(block.loss_scale[row] < _MIN_SCALE <= previous_scale),
        }
        for kind in (kind for kind, has_begun in kinds.items() if has_begun):
            yield LossScaleStall(
                kind=kind,
                step=int(block.steps[row]),
                epoch=int(block.epochs[row]),
                batch=int(block.batches[row]),
                num_skipped=num_skipped,
                loss_scale=float(block.loss_scale[row]),
            )


def _num_consecutive(skipped: np.ndarray, row: int, num_before: int) -> int:
    """Counts the consecutive skipped steps up to `row`; `num_before` precede the block."""
    applied = np.flatnonzero(~skipped[: row + 1])
    return row - int(applied[-1]) if len(applied) else num_before + row + 1
