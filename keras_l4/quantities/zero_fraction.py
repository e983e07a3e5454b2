"""Zero fraction: how much of a variable the loss does not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.backend.common.float_bits import is_nonzero
from keras_l4.quantities._base import SAMPLED, Folded

if TYPE_CHECKING:
    from keras_l4.recorder.effective_rate import Rate
    from keras_l4.recorder.step import Step


class ZeroFraction(Folded):
    """Share of the gradient's elements that are exactly zero, by their bits."""

    name = "zero_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"

    def element(self, x: Any, rate: Rate) -> Any:
        return is_nonzero(x)

    def measure(self, step: Step) -> Any:
        # The rows that a sparse gradient leaves out are zeros too.
        return step.rest(step.folded(self))
