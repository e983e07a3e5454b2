"""Numbers from timings. A result is `measure.Result` as it stands in the JSON file."""

from __future__ import annotations

from typing import Any

import numpy as np
from promise import BASELINE, SUBJECT

Result = dict[str, Any]


def ratios(result: Result, contender: str) -> np.ndarray:
    """Wall time per step relative to stock Keras in the same round. Float64 `[rounds]`."""
    return _step_seconds(result, contender) / _step_seconds(result, BASELINE)


def step_milliseconds(result: Result, contender: str) -> float:
    """Median wall time per step."""
    return float(np.median(_step_seconds(result, contender))) * 1e3


def _step_seconds(result: Result, contender: str) -> np.ndarray:
    """A fit takes this long for each step more than one: what comes once per fit is left out."""
    series = result["series"][contender]
    return np.subtract(series["seconds"], series["start_seconds"]) / (result["steps"] - 1)


def start_milliseconds(result: Result) -> float:
    """What a fit of one step takes longer with keras_l4: once per fit."""
    series = result["series"]
    starts = np.subtract(series[SUBJECT]["start_seconds"], series[BASELINE]["start_seconds"])
    return float(np.median(starts)) * 1e3


def record_bytes(result: Result) -> float:
    """Size of keras_l4's event files per variable and step."""
    total = float(np.median(result["series"][SUBJECT]["record_bytes"]))
    return total / (result["variables"] * result["steps"])
