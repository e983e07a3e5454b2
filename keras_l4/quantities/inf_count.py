"""Inf count: elements of the gradient that have overflowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4 import backend
from keras_l4.quantities._base import EVERY_STEP, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class InfCount(Measured):
    """Number of +Inf and -Inf in the gradient. Exact."""

    name = "inf_count"
    unit = "elements"
    when = EVERY_STEP
    pool = "count"
    dtype = "int"
    def measure(self, step: Step) -> Any:
        return step.count(step.gradients, backend.is_inf)
