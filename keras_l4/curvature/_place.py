"""Place: where on its loss surface a model stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_l4.curvature._kinds import Kind


@dataclass(frozen=True)
class CriticalPointReport:
    """Where a model stands, and the certificate for it.

    Attributes:
        kind: What it is; see `classify`.
        loss: The loss there.
        gradient_norm: ‖g‖.
        largest, smallest: λmax and λmin.
        condition_number: κ = λmax/|λ|_q; NaN where nothing curves upward.
        is_lower_bound: Whether κ may be larger.
        noise_scale: The gradient noise scale in examples; NaN where it was not needed.
        distance: How far the changes were measured.
        changes: Direction, such as `"+v_min"`, to the measured change of the loss at that
            distance; empty where none was needed.
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
        facts = (
            f"{self.kind}: loss {self.loss:.6g}, ‖gradient‖ {self.gradient_norm:.3g}, curvature "
            f"from {self.smallest:.3g} to {self.largest:.3g}"
        )
        if not np.isnan(self.noise_scale):
            facts += f", gradient noise scale {self.noise_scale:.3g} examples"
        told = [f"{change:+.3g} along {name}" for name, change in self.changes.items()]
        if told:
            facts += f"; at distance {self.distance:.2g} the loss changes by {', '.join(told)}"
        return facts
