"""Zero fraction: how much of a variable the loss does not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import SAMPLED, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class ZeroFraction(Measured):
    """Share of the gradient's elements that are exactly zero, by their bits."""

    name = "zero_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"

    def measure(self, step: Step) -> Any:
        return step.fraction_of_zeros(step.gradients)
