"""Kept: the part of a block that a history keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_l4.recorder.block import StepBlock
from keras_l4.recorder.selection import select

FIRST_STEPS = 256


@dataclass
class Kept:
    """Part of a block that is kept, with the numbers of its rows."""

    block: StepBlock
    batch_loss: np.ndarray
    row: np.ndarray
    look: np.ndarray

    def thinned(self, stride: int, look_stride: int) -> Kept:
        """Without the rows, but for the first, and the looks that these strides pass over."""
        keep = (self.row < FIRST_STEPS) | (self.row % stride == 0)
        keep |= (self.look >= 0) & (self.look % look_stride == 0)
        cut = select(self.block, keep)
        return Kept(cut, self.batch_loss[keep], self.row[keep], self.look[keep])
