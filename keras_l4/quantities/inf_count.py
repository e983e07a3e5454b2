"""Inf count: elements of the gradient that have overflowed."""

from __future__ import annotations

from keras_l4 import backend
from keras_l4.quantities._base import EVERY_STEP, ElementwiseRate, ReductionQuantity, Tensor


class InfCount(ReductionQuantity):
    """Number of +Inf and -Inf elements in the gradient. Exact. Layers: the sum over variables."""

    name = "inf_count"
    unit = "elements"
    when = EVERY_STEP
    pool = "count"
    dtype = "int"
    is_zero_when_finite = True

    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        return backend.core.is_inf(x)
