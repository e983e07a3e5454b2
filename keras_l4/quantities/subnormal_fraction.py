"""Subnormal fraction: how much of a gradient is about to underflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4 import backend
from keras_l4.quantities._base import SAMPLED, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class SubnormalFraction(Measured):
    """Share of the gradient's elements that are subnormal in its own dtype, by their bits."""

    name = "subnormal_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"

    def measure(self, step: Step) -> Any:
        return step.fraction(step.gradients, backend.is_subnormal)
