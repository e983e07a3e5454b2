"""How tags are spelled. Nothing else in the package spells one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Kind = Literal["full", "layer", "index", "clock"]
NoteKind = Literal["facts", "response", "epoch_logs", "refusal", "curvature", "surface"]

SCALARS: Mapping[str, str] = MappingProxyType(
    {
        "gradient_norm": "gradient_norm/{name}",
        "update_ratio": "update_ratio/{name}",
        "effective_learning_rate": "effective_learning_rate/{name}",
        "effective_learning_rate_p5": "effective_learning_rate/{name}/p5",
        "effective_learning_rate_p50": "effective_learning_rate/{name}/p50",
        "effective_learning_rate_p95": "effective_learning_rate/{name}/p95",
    }
)
"""Quantities that the stock dashboards get, with the tag of one layer or variable."""

CURVATURE: tuple[str, ...] = (
    "largest",
    "smallest",
    "trace",
    "condition_number",
    "sharpness",
    "threshold",
    "largest_stable_learning_rate",
)
"""What of a measured curvature the stock dashboards get."""

GLOBAL_GRADIENT_NORM = "global/gradient_norm"
GLOBAL_LEARNING_RATE = "global/learning_rate"
GLOBAL_LOSS = "global/loss"
GLOBAL_NONFINITE = "global/nonfinite"


def scalar(quantity: str, name: str) -> str:
    """Tag of a quantity of one layer or variable on the stock dashboards.

    >>> scalar("effective_learning_rate_p95", "mlp/dense")
    'effective_learning_rate/mlp/dense/p95'
    """
    return SCALARS[quantity].format(name=name)


def nonfinite(name: str) -> str:
    """Tag of the number of NaN and Inf gradients of one layer or variable."""
    return f"nonfinite/{name}"


def record(kind: Kind, quantity: str, segment: int) -> str:
    """Tag of the full record: a tensor per block. A segment is named by its first step.

    >>> record("full", "gradient_norm", 1)
    'full/gradient_norm/000000000001'
    >>> record("index", "", 1)
    'index/000000000001'
    """
    return "/".join(part for part in (kind, quantity, f"{segment:012d}") if part)


def note(kind: NoteKind, segment: int) -> str:
    """Tag of what is known beside the steps: JSON in a tensor of one string.

    >>> note("facts", 1)
    'notes/facts/000000000001'
    """
    return f"notes/{kind}/{segment:012d}"


def curvature(name: str) -> str:
    """Tag of a number of `CURVATURE`.

    >>> curvature("largest")
    'curvature/largest'
    """
    return f"curvature/{name}"


SURFACE = "curvature/surface"
"""Tag of the picture of a slice of the loss surface."""

FINDINGS = "findings"
"""Tag of the findings, as text for TensorBoard."""


def histogram(kind: Literal["gradients", "weights"], path: str) -> str:
    """Tag of the histogram of a variable's gradients or weights.

    >>> histogram("gradients", "mlp/dense/kernel")
    'gradients/mlp/dense/kernel'
    """
    return f"{kind}/{path}"
