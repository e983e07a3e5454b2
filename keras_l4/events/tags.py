"""Spells the tags of event files. No other module spells one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

TensorKind: TypeAlias = Literal["variable", "layer", "step_integers", "step_floats"]
AnnotationKind: TypeAlias = Literal[
    "metadata", "probe", "epoch_logs", "aborted_step", "curvature", "surface"
]

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
"""Quantity to the tag of its scalar for one layer or variable. Other quantities have no scalars."""

CURVATURE: tuple[str, ...] = (
    "largest",
    "smallest",
    "trace",
    "condition_number",
    "sharpness",
    "threshold",
    "largest_stable_learning_rate",
)
"""Fields of `CurvatureMeasurement` that are written as scalars."""

GLOBAL_GRADIENT_NORM = "global/gradient_norm"
GLOBAL_LEARNING_RATE = "global/learning_rate"
GLOBAL_LOSS = "global/loss"
GLOBAL_NONFINITE = "global/nonfinite"

SURFACE = "curvature/surface"
"""Tag of the image of a slice of the loss surface."""

FINDINGS = "findings"
"""Tag of the findings, as text."""


def scalar(quantity: str, name: str) -> str:
    """Returns the tag of a scalar of one layer or variable.

    >>> scalar("effective_learning_rate_p95", "mlp/dense")
    'effective_learning_rate/mlp/dense/p95'
    """
    return SCALARS[quantity].format(name=name)


def nonfinite(name: str) -> str:
    """Returns the tag of the number of NaN and Inf gradients of one layer or variable."""
    return f"nonfinite/{name}"


def curvature(name: str) -> str:
    """Returns the tag of a field in `CURVATURE`.

    >>> curvature("largest")
    'curvature/largest'
    """
    return f"curvature/{name}"


def histogram(kind: Literal["gradients", "weights"], path: str) -> str:
    """Returns the tag of the histogram of a variable's gradients or weights.

    >>> histogram("gradients", "mlp/dense/kernel")
    'gradients/mlp/dense/kernel'
    """
    return f"{kind}/{path}"


def block_tensor(kind: TensorKind, quantity: str, segment: int) -> str:
    """Returns the tag of a tensor of a block. `segment` is the first step of the event file.

    >>> block_tensor("variable", "gradient_norm", 1)
    'variable/gradient_norm/000000000001'
    >>> block_tensor("step_integers", "", 1)
    'step_integers/000000000001'
    """
    return "/".join(part for part in (kind, quantity, f"{segment:012d}") if part)


def annotation(kind: AnnotationKind, segment: int) -> str:
    """Returns the tag of an annotation. `segment` is the first step of the event file.

    >>> annotation("metadata", 1)
    'annotations/metadata/000000000001'
    """
    return f"annotations/{kind}/{segment:012d}"
