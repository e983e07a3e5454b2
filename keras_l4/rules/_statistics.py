"""Robust statistics, all of them indifferent to a constant factor."""

from __future__ import annotations

import numpy as np
from scipy.stats import theilslopes

_TINY = float(np.finfo(np.float32).tiny)


def log_slope(values: np.ndarray) -> tuple[float, float, float]:
    """Theil–Sen slope of the logarithm over the position, and its 95 % confidence interval.

    >>> slope, low, high = log_slope(np.array([1.0, 10.0, 100.0, 1000.0]))
    >>> round(slope, 3)
    2.303
    """
    slope, _, low, high = theilslopes(np.log(np.maximum(values, _TINY)), alpha=0.95)
    return float(slope), float(low), float(high)


def late(values: np.ndarray) -> np.ndarray:
    """The rows of the last quarter, at least one."""
    return values[-max(1, len(values) // 4) :]


def early(values: np.ndarray) -> np.ndarray:
    """The rows of the first quarter, at least one."""
    return values[: max(1, len(values) // 4)]


def median(values: np.ndarray) -> np.ndarray:
    """Median over rows, of the finite values only; NaN where there is none."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    # NumPy's own median without NaN goes column by column, of which there may be thousands.
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=0)
    number = np.isfinite(ordered).sum(axis=0, keepdims=True)
    lower, upper = np.maximum(number - 1, 0) // 2, number // 2
    middle = [np.take_along_axis(ordered, at, axis=0)[0] for at in (lower, upper)]
    return np.asarray((middle[0] + middle[1]) / 2)


def ups_and_downs(values: np.ndarray) -> tuple[float, float]:
    """Sums of all rises and of all falls from one value to the next.

    >>> ups_and_downs(np.array([3.0, 1.0, 2.0]))
    (1.0, 2.0)
    """
    changes = np.diff(values)
    return float(changes[changes > 0].sum()), float(-changes[changes < 0].sum())
