"""Trajectory: where the weights were while `fit` ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

MOST_MOMENTS = 64
Weights = Sequence[np.ndarray]


@dataclass
class Trajectory:
    """Weights at moments from all over the training.

    Memory is bounded: where there are more than `MOST_MOMENTS`, every second one is dropped.
    """

    _moments: list[tuple[int, Weights]] = field(default_factory=list)
    _num_offered: int = 0
    _stride: int = 1

    def offer(self, step: int, read: Callable[[], Weights]) -> None:
        """Reads the weights after a step, if this moment is one to be kept."""
        if self._num_offered % self._stride == 0:
            self._moments.append((step, read()))
        self._num_offered += 1
        if len(self._moments) > MOST_MOMENTS:
            self._moments = self._moments[::2]
            self._stride *= 2

    def until(self, step: int, weights: Weights) -> tuple[tuple[int, ...], list[Weights]]:
        """The steps and the weights of all moments, with a last one at which it ends."""
        before = [moment for moment in self._moments if moment[0] < step]
        steps, kept = zip(*before, (step, weights), strict=True)
        return steps, list(kept)
