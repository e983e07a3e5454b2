"""Gradient norm."""

from __future__ import annotations

from keras_l4.quantities._base import EVERY_STEP, DeviceQuantity, StepContext, Tensor


class GradientNorm(DeviceQuantity):
    """Euclidean norm ‖g‖ of the gradient of the unscaled loss, before clipping.

    NaN or Inf if the gradient has such elements. If it is Inf while `nan_count` and `inf_count`
    are 0, all elements are finite and their norm exceeds the range of float32. Layers: the norm
    over all variables of the layer.
    """

    name = "gradient_norm"
    unit = "loss per unit of weight"
    when = EVERY_STEP
    pool = "norm"
    reads_weights = False

    def measure(self, step: StepContext) -> Tensor:
        # Computed in `Recorder._before_update`.
        return step.gradient_norms
