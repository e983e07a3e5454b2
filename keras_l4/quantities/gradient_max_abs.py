"""Largest element of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import SAMPLED, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class GradientMaxAbs(Measured):
    """max|g| before clipping. NaN where the gradient has NaN."""

    name = "gradient_max_abs"
    unit = "loss per unit of weight"
    when = SAMPLED
    pool = "maximum"

    def measure(self, step: Step) -> Any:
        return step.max_abs(step.gradients)
