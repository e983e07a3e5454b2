"""Robust statistics. Rules compare ratios of them, which do not depend on the scale of the loss."""

from __future__ import annotations

import numpy as np
from scipy.stats import theilslopes

_TINY = float(np.finfo(np.float32).tiny)


def log_slope(values: np.ndarray) -> tuple[float, float, float]:
    """Returns the Theil–Sen slope of the logarithm per position, and its 95 % confidence interval.

    >>> slope, low, high = log_slope(np.array([1.0, 10.0, 100.0, 1000.0]))
    >>> round(slope, 3)
    2.303
    """
    slope, _, low, high = theilslopes(np.log(np.maximum(values, _TINY)), alpha=0.95)
    return float(slope), float(low), float(high)


def last_quarter(values: np.ndarray) -> np.ndarray:
    """Returns the rows of the last quarter, at least one."""
    return values[-max(1, len(values) // 4) :]


def first_quarter(values: np.ndarray) -> np.ndarray:
    """Returns the rows of the first quarter, at least one."""
    return values[: max(1, len(values) // 4)]


def finite_median(values: np.ndarray) -> np.ndarray:
    """Returns the median of the finite values of each column; NaN for a column without any."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    # np.nanmedian loops over the columns in Python, and there may be thousands of variables.
    # Sorting moves NaN to the end, so that the finite values of a column are its first rows.
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=0)
    count = np.isfinite(ordered).sum(axis=0, keepdims=True)
    lower, upper = np.maximum(count - 1, 0) // 2, count // 2
    middle = [np.take_along_axis(ordered, row, axis=0)[0] for row in (lower, upper)]
    return np.asarray((middle[0] + middle[1]) / 2)


def sum_rises_and_falls(values: np.ndarray) -> tuple[float, float]:
    """Returns the sum of all increases and the sum of all decreases between neighbors.

    >>> sum_rises_and_falls(np.array([3.0, 1.0, 2.0]))
    (1.0, 2.0)
    """
    changes = np.diff(values)
    return float(changes[changes > 0].sum()), float(-changes[changes < 0].sum())
