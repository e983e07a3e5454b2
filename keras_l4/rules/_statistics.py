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
    finite = np.where(np.isfinite(values), values, np.nan)
    known = ~np.isnan(finite).all(axis=0)
    out = np.full(finite.shape[1:], np.nan)
    out[known] = np.nanmedian(finite[:, known], axis=0)
    return out


def ups_and_downs(values: np.ndarray) -> tuple[float, float]:
    """Sums of all rises and of all falls from one value to the next.

    >>> ups_and_downs(np.array([3.0, 1.0, 2.0]))
    (1.0, 2.0)
    """
    changes = np.diff(values)
    return float(changes[changes > 0].sum()), float(-changes[changes < 0].sum())
