"""Binning of steps: no more columns than a screen can show, and every step is in one of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Bins:
    """Bins of equal size on the step axis.

    Attributes:
        first_step: First step of the first bin.
        size: Steps per bin.
        count: Number of bins.
        last_step: Last step of the last bin.
    """

    first_step: int
    size: int
    count: int
    last_step: int

    @classmethod
    def covering(cls, first_step: int, last_step: int, max_count: int, min_size: int = 1) -> Bins:
        """Returns at most `max_count` bins that cover `first_step` to `last_step`.

        The last bin may extend beyond `last_step`.

        >>> Bins.covering(1, 10, max_count=4)
        Bins(first_step=1, size=3, count=4, last_step=12)
        """
        num_steps = last_step - first_step + 1
        size = max(min_size, -(-num_steps // max_count))
        count = -(-num_steps // size)
        return cls(first_step, size, count, first_step + size * count - 1)

    def index_of(self, steps: np.ndarray) -> np.ndarray:
        """Returns the index of the bin of each step, `int64[steps]`."""
        return (steps - self.first_step) // self.size

    def reduce(self, ufunc: np.ufunc, steps: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Reduces `values` to one entry per bin.

        Args:
            ufunc: The reduction, for instance `np.fmax`.
            steps: `int64[steps]`, increasing.
            values: `[steps, ...]`.

        Returns:
            `[count, ...]`; for a bin without steps NaN, or 0 if `values` are integers.
        """
        empty = np.nan if values.dtype.kind == "f" else 0
        reduced = np.full((self.count, *values.shape[1:]), empty, values.dtype)
        if len(steps):
            indices, starts = np.unique(self.index_of(steps), return_index=True)
            reduced[indices] = ufunc.reduceat(values, starts, axis=0)
        return reduced

    def as_dict(self) -> dict[str, int]:
        """Returns the fields by name."""
        return asdict(self)

    def rows_within(self, steps: np.ndarray) -> slice:
        """Returns the rows of `steps` (increasing) that are in one of the bins."""
        start, stop = np.searchsorted(steps, [self.first_step, self.last_step + 1])
        return slice(int(start), int(stop))


def median_interval(steps: np.ndarray) -> int:
    """Returns the median distance between successive steps, or 1 for fewer than two steps."""
    return int(np.median(np.diff(steps))) if len(steps) > 1 else 1
