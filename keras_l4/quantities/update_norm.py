"""Update norm: how far a variable moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import SAMPLED, Normed

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class UpdateNorm(Normed):
    """Euclidean norm of w_after - w_before: with weight decay, constraints and clipping in it."""

    name = "update_norm"
    unit = "unit of weight"
    when = SAMPLED
    pool = "norm"

    def tensors(self, step: Step) -> Sequence[Any]:
        return step.updates
