"""CriticalPointReport: the kind of a point on a loss surface, with the measurements behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

Kind: TypeAlias = Literal[
    "minimum",
    "maximum",
    "saddle",
    "degenerate",
    "flat region",
    "noise-limited",
    "ravine",
    "descending",
]


@dataclass(frozen=True)
class CriticalPointReport:
    """The kind of point that a model's weights are at, with the certificate for it.

    Attributes:
        kind: The kind; `classify` defines each.
        loss: The loss at the weights.
        gradient_norm: ‖g‖.
        largest, smallest: λmax and λmin.
        condition_number: κ = λmax/|λ|_q; NaN if λmax ≤ 0.
        is_lower_bound: True if κ may be larger.
        noise_scale: The gradient noise scale, in examples; NaN if it was not needed.
        distance: The distance from the weights at which changes of the loss were measured.
        changes: Maps a direction, such as `"+v_min"`, to the measured change of the loss at that
            distance; empty if no change was needed.
    """

    kind: Kind
    loss: float
    gradient_norm: float
    largest: float
    smallest: float
    condition_number: float
    is_lower_bound: bool
    noise_scale: float
    distance: float
    changes: Mapping[str, float]

    def __str__(self) -> str:
        text = (
            f"{self.kind}: loss {self.loss:.6g}, ‖gradient‖ {self.gradient_norm:.3g}, curvature "
            f"from {self.smallest:.3g} to {self.largest:.3g}"
        )
        if not np.isnan(self.noise_scale):
            text += f", gradient noise scale {self.noise_scale:.3g} examples"
        changes = [f"{change:+.3g} along {name}" for name, change in self.changes.items()]
        if changes:
            text += f"; at distance {self.distance:.2g} the loss changes by {', '.join(changes)}"
        return text
