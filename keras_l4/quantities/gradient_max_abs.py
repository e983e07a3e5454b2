"""Largest element of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import SAMPLED, Folded

if TYPE_CHECKING:
    from keras_l4.recorder.effective_rate import Rate


class GradientMaxAbs(Folded):
    """max|g| before clipping. NaN where the gradient has NaN."""

    name = "gradient_max_abs"
    unit = "loss per unit of weight"
    when = SAMPLED
    pool = "maximum"
    fold = "magnitude"

    def element(self, x: Any, rate: Rate) -> Any:
        return x
