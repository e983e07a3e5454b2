"""Largest element of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4 import backend
from keras_l4.quantities._base import SAMPLED, Folded

if TYPE_CHECKING:
    from keras_l4.recorder.rate import Rate
    from keras_l4.recorder.step import Step


class GradientMaxAbs(Folded):
    """max|g| before clipping. NaN where the gradient has NaN."""

    name = "gradient_max_abs"
    unit = "loss per unit of weight"
    when = SAMPLED
    pool = "maximum"
    fold = "maximum"

    def element(self, x: Any, rate: Rate) -> Any:
        # Bits without the sign order as magnitudes do, NaN above all.
        return backend.magnitude_bits(x)

    def measure(self, step: Step) -> Any:
        return step.magnitudes(step.folded(self))
