"""Largest absolute value of the gradient."""

from __future__ import annotations

from keras_l4.quantities._base import SAMPLED, ElementwiseRate, ReductionQuantity, Tensor


class GradientMaxAbs(ReductionQuantity):
    """max|g| of the gradient of the unscaled loss, before clipping; NaN if an element is NaN.

    Layers: the maximum over variables.
    """

    name = "gradient_max_abs"
    unit = "loss per unit of weight"
    when = SAMPLED
    pool = "maximum"
    reduction = "max_abs"

    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        return x
