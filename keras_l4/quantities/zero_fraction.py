"""Zero fraction: how much of a variable receives no gradient."""

from __future__ import annotations

from keras_l4.backend.common.float_bits import is_nonzero
from keras_l4.quantities._base import (
    SAMPLED,
    ElementwiseRate,
    ReductionQuantity,
    StepContext,
    Tensor,
)


class ZeroFraction(ReductionQuantity):
    """Fraction of the gradient's elements that are exactly zero.

    The bits are compared, since a device may treat subnormal numbers as zero in arithmetic.
    Layers: the mean over variables, weighted by their size.
    """

    name = "zero_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"

    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        return is_nonzero(x)

    def measure(self, step: StepContext) -> Tensor:
        # Count the nonzero elements: the rows that a sparse gradient leaves out are zeros too.
        return step.fraction_not_counted(step.reductions_of(self))
