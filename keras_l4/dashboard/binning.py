"""Binning: as many columns as a screen has, and no step that is lost by it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Bins:
    """Equal bins on the step axis.

    Attributes:
        first_step: First step of the first bin.
        size: Steps per bin.
        number: Number of bins.
        last_step: Last step of the last bin.
    """

    first_step: int
    size: int
    number: int
    last_step: int

    @classmethod
    def over(cls, first_step: int, last_step: int, most: int, least_size: int = 1) -> Bins:
        """At most `most` whole bins that hold all steps from `first_step` to `last_step`.

        >>> Bins.over(1, 10, most=4)
        Bins(first_step=1, size=3, number=4, last_step=12)
        """
        num_steps = last_step - first_step + 1
        size = max(least_size, -(-num_steps // most))
        number = -(-num_steps // size)
        return cls(first_step, size, number, first_step + size * number - 1)

    def place(self, steps: np.ndarray) -> np.ndarray:
        """`int64[steps]`: the bin of each step."""
        return (steps - self.first_step) // self.size

    def reduce(self, ufunc: np.ufunc, steps: np.ndarray, values: np.ndarray) -> np.ndarray:
        """`values` `[steps, ...]` of increasing steps per bin, `[number, ...]`.

        NaN, or 0 for integers, where a bin has no step.
        """
        empty = np.nan if values.dtype.kind == "f" else 0
        out = np.full((self.number, *values.shape[1:]), empty, values.dtype)
        if len(steps):
            places, starts = np.unique(self.place(steps), return_index=True)
            out[places] = ufunc.reduceat(values, starts, axis=0)
        return out

    def as_dict(self) -> dict[str, int]:
        """The fields."""
        return asdict(self)

    def rows(self, steps: np.ndarray) -> slice:
        """The rows of increasing steps that are in a bin."""
        start, stop = np.searchsorted(steps, [self.first_step, self.last_step + 1])
        return slice(int(start), int(stop))


def usual_distance(steps: np.ndarray) -> int:
    """Median distance between two steps, 1 where there are fewer than two."""
    return int(np.median(np.diff(steps))) if len(steps) > 1 else 1
