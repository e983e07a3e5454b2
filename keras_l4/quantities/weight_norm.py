"""Weight norm: how large a variable is."""

from __future__ import annotations

from keras_l4.quantities._base import SAMPLED, NormQuantity, StepContext, Tensors


class WeightNorm(NormQuantity):
    """Euclidean norm of the variable before the update.

    Layers: the norm over all variables of the layer.
    """

    name = "weight_norm"
    unit = "unit of weight"
    when = SAMPLED
    pool = "norm"

    def tensors(self, step: StepContext) -> Tensors:
        return step.weights
