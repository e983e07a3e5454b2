"""Numbers as people write them."""

from __future__ import annotations

import math

LIMITS = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


def number(x: float) -> str:
    """Three digits: `94.2`, `7.1e4`, `-0.0012`, `Inf`."""
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Inf" if x > 0 else "-Inf"
    if x and not 1e-3 <= abs(x) < 1e4:
        digits, exponent = f"{x:.2e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"


def limit(dtype: str) -> str:
    """The largest number of a dtype: `65504`, `3.4e38`."""
    most = LIMITS[dtype]
    return f"{most:.0f}" if most < 1e6 else number(most)
