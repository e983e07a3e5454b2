"""WeightTrajectory: the weights at several steps of a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

MAX_POINTS = 64
Weights: TypeAlias = Sequence[np.ndarray]


@dataclass
class WeightTrajectory:
    """Weights from evenly spaced moments of the whole training.

    Memory is bounded: beyond `MAX_POINTS`, every second point is dropped.
    """

    _points: list[tuple[int, Weights]] = field(default_factory=list)
    _num_calls: int = 0
    _stride: int = 1

    def record(self, step: int, read_weights: Callable[[], Weights]) -> None:
        """Reads and stores the weights after a step, on every `_stride`-th call."""
        if self._num_calls % self._stride == 0:
            self._points.append((step, read_weights()))
        self._num_calls += 1
        if len(self._points) > MAX_POINTS:
            self._points = self._points[::2]
            self._stride *= 2

    def ending_at(self, step: int, weights: Weights) -> tuple[tuple[int, ...], list[Weights]]:
        """Returns the steps and weights of all points before `step`, then those given."""
        earlier = [point for point in self._points if point[0] < step]
        steps, trajectory = zip(*earlier, (step, weights), strict=True)
        return steps, list(trajectory)
