"""Weight norm: how large a variable is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import SAMPLED, Normed

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class WeightNorm(Normed):
    """Euclidean norm of the variable before the update."""

    name = "weight_norm"
    unit = "unit of weight"
    when = SAMPLED
    pool = "norm"

    def tensors(self, step: Step) -> Sequence[Any]:
        return step.weights
