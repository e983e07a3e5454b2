"""Update norm: how far a variable moved."""

from __future__ import annotations

from keras_l4.quantities._base import SAMPLED, NormQuantity, StepContext, Tensors


class UpdateNorm(NormQuantity):
    """Euclidean norm of w_after - w_before, including weight decay, constraints and clipping.

    Layers: the norm over all variables of the layer.
    """

    name = "update_norm"
    unit = "unit of weight"
    when = SAMPLED
    pool = "norm"

    def tensors(self, step: StepContext) -> Tensors:
        return step.updates
