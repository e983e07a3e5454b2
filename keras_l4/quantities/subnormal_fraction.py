"""Subnormal fraction: how much of a gradient is about to underflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.backend.common.float_bits import is_subnormal
from keras_l4.quantities._base import SAMPLED, Folded

if TYPE_CHECKING:
    from keras_l4.recorder.effective_rate import Rate
    from keras_l4.recorder.step import Step


class SubnormalFraction(Folded):
    """Share of the gradient's elements that are subnormal in its own dtype, by their bits."""

    name = "subnormal_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"

    def element(self, x: Any, rate: Rate) -> Any:
        return is_subnormal(x)

    def measure(self, step: Step) -> Any:
        return step.share(step.folded(self))
