"""Formats numbers for messages."""

from __future__ import annotations

import math

DTYPE_MAX = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


def format_number(x: float) -> str:
    """Formats a number with three digits: `94.2`, `7.1e4`, `-0.0012`, `Inf`."""
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Inf" if x > 0 else "-Inf"
    if x and not 1e-3 <= abs(x) < 1e4:
        digits, exponent = f"{x:.2e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"


def format_dtype_max(dtype: str) -> str:
    """Formats the largest number of a dtype: `65504`, `3.4e38`."""
    largest = DTYPE_MAX[dtype]
    return f"{largest:.0f}" if largest < 1e6 else format_number(largest)
