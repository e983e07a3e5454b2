"""Update norm: how far a variable moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import SAMPLED, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class UpdateNorm(Measured):
    """Euclidean norm of w_after - w_before: with weight decay, constraints and clipping in it."""

    name = "update_norm"
    unit = "unit of weight"
    when = SAMPLED
    pool = "norm"

    def measure(self, step: Step) -> Any:
        return step.norms(step.updates)
