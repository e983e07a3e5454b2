"""Clip factor: the fraction of the gradient norm that is left after clipping."""

from __future__ import annotations

from keras_l4.quantities._base import SAMPLED, DeviceQuantity, StepContext, Tensor


class ClipFactor(DeviceQuantity):
    """‖clipped gradient‖ / ‖gradient‖; 1 if nothing is clipped or the gradient is zero.

    Layers: the same quotient, of the norms over all variables of the layer.
    """

    name = "clip_factor"
    unit = "1"
    when = SAMPLED
    pool = "clip_factor"
    reads_weights = False

    def measure(self, step: StepContext) -> Tensor:
        return step.clip_factors
