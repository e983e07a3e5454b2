"""Where loss scaling stalls: Keras lets the scale halve for ever, in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from keras_l4.records.block import StepBlock

# A scale that looks for its place halves a few times. Ten halvings are a factor of a thousand,
# which no healthy gradient outgrows from one step to the next.
SKIPPED_IN_A_ROW = 10
# Below 1 the scale no longer protects from underflow, but brings it about.
LEAST_SCALE = 1.0


@dataclass(frozen=True)
class LossScaleStall:
    """A step at which loss scaling can no longer be said to be looking for its scale.

    Attributes:
        kind: `"skipped"`: ten steps in a row were not applied, this being the tenth;
            `"scale"`: the scale fell below 1.
        step: Step number, from 1.
        epoch: Epoch, from 0.
        batch: Batch within the epoch, from 0.
        num_skipped: Steps that were skipped in a row, up to this one.
        loss_scale: The scale of this step.
    """

    kind: Literal["skipped", "scale"]
    step: int
    epoch: int
    batch: int
    num_skipped: int
    loss_scale: float

    def __str__(self) -> str:
        where = f"step {self.step} (epoch {self.epoch}, batch {self.batch}): "
        if self.kind == "scale":
            return where + f"the loss scale fell to {self.loss_scale:g}, where it makes underflow"
        return where + (
            f"{self.num_skipped} steps in a row were skipped, at a loss scale of "
            f"{self.loss_scale:g} by now; training stands still"
        )


class StallWatch:
    """Finds the stalls in consecutive blocks."""

    def __init__(self) -> None:
        self._num_skipped = 0
        self._scale = np.inf

    def observe(self, block: StepBlock) -> list[LossScaleStall]:
        """The stalls that begin in this block, in order of steps."""
        stalls = []
        skipped = block.skipped & ~block.held
        for row in np.flatnonzero(skipped | (block.loss_scale < LEAST_SCALE)):
            stalls += self._at(block, int(row))
        if len(block):
            self._num_skipped = _streak(skipped, len(block) - 1, self._num_skipped)
            self._scale = float(block.loss_scale[-1])
        return stalls

    def _at(self, block: StepBlock, row: int) -> list[LossScaleStall]:
        num_skipped = _streak(block.skipped & ~block.held, row, self._num_skipped)
        before = block.loss_scale[row - 1] if row else self._scale
        fell = block.loss_scale[row] < LEAST_SCALE <= before
        kinds: list[Literal["skipped", "scale"]] = ["skipped"] * (num_skipped == SKIPPED_IN_A_ROW)
        kinds += ["scale"] * bool(fell)
        return [
            LossScaleStall(
                kind=kind,
                step=int(block.steps[row]),
                epoch=int(block.epochs[row]),
                batch=int(block.batches[row]),
                num_skipped=num_skipped,
                loss_scale=float(block.loss_scale[row]),
            )
            for kind in kinds
        ]


def _streak(skipped: np.ndarray, row: int, before: int) -> int:
    """Skipped steps in a row up to this one, given those before the block."""
    applied = np.flatnonzero(~skipped[: row + 1])
    return row - int(applied[-1]) if len(applied) else before + row + 1
