"""Numbers from timings. A result is `measure.Result` as it stands in the JSON file."""

from __future__ import annotations

from typing import Any

import numpy as np
from promise import BASELINE, SUBJECT

Result = dict[str, Any]


def ratios(result: Result, contender: str) -> np.ndarray:
    """Wall time relative to stock Keras in the same round. Float64 `[rounds]`."""
    series = result["series"]
    return np.divide(series[contender]["seconds"], series[BASELINE]["seconds"])


def step_milliseconds(result: Result, contender: str) -> float:
    """Median wall time per step, start of the fit included."""
    return float(np.median(result["series"][contender]["seconds"])) / result["steps"] * 1e3


def start_milliseconds(result: Result) -> float:
    """What a fit of one step takes longer with keras_l4: once per fit, and part of the ratio."""
    series = result["series"]
    starts = np.subtract(series[SUBJECT]["start_seconds"], series[BASELINE]["start_seconds"])
    return float(np.median(starts)) * 1e3


def record_bytes(result: Result) -> float:
    """Size of keras_l4's event files per variable and step."""
    total = float(np.median(result["series"][SUBJECT]["record_bytes"]))
    return total / (result["variables"] * result["steps"])
