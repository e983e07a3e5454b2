"""Statistics of a result, which is a `measure.Result` read from JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from budgets import BASELINE, SUBJECT

Result = dict[str, Any]


def ratios(result: Result, variant: str) -> np.ndarray:
    """Returns the wall time per step relative to stock Keras in the same round, `float64[rounds]`."""
    return _step_seconds(result, variant) / _step_seconds(result, BASELINE)


def step_milliseconds(result: Result, variant: str) -> float:
    """Returns the median wall time per step."""
    return float(np.median(_step_seconds(result, variant))) * 1e3


def _step_seconds(result: Result, variant: str) -> np.ndarray:
    """Returns the time of each step after the first, which leaves out the start of the fit."""
    series = result["series"][variant]
    return np.subtract(series["seconds"], series["start_seconds"]) / (result["steps"] - 1)


def start_milliseconds(result: Result) -> float:
    """Returns how much longer a fit of one step takes with keras_l4, the cost per fit."""
    series = result["series"]
    starts = np.subtract(series[SUBJECT]["start_seconds"], series[BASELINE]["start_seconds"])
    return float(np.median(starts)) * 1e3


def record_bytes(result: Result) -> float:
    """Returns the size of the event files of keras_l4 per variable and step."""
    total = float(np.median(result["series"][SUBJECT]["record_bytes"]))
    return total / (result["variables"] * result["steps"])
