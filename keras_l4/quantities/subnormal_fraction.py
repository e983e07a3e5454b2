"""Subnormal fraction: how much of a gradient is about to underflow."""

from __future__ import annotations

from keras_l4.backend.common.float_bits import is_subnormal
from keras_l4.quantities._base import (
    SAMPLED,
    ElementwiseRate,
    ReductionQuantity,
    StepContext,
    Tensor,
)


class SubnormalFraction(ReductionQuantity):
    """Fraction of the gradient's elements that are subnormal in the dtype of the gradient.

    The bits are compared, since a device may flush subnormal numbers to zero in arithmetic.
    Layers: the mean over variables, weighted by their size.
    """

    name = "subnormal_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"

    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        return is_subnormal(x)

    def measure(self, step: StepContext) -> Tensor:
        return step.fraction(step.reductions_of(self))
