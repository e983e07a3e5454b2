"""Gradient norm: how hard the loss pulls on a variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import EVERY_STEP, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class GradientNorm(Measured):
    """Euclidean norm of the gradient of the unscaled loss, before clipping.

    NaN or Inf where the gradient has such elements. Inf beside `nan_count == inf_count == 0`
    says that all elements are finite and their norm is beyond float32.
    """

    name = "gradient_norm"
    unit = "loss per unit of weight"
    when = EVERY_STEP
    pool = "norm"
    reads_weights = False

    def measure(self, step: Step) -> Any:
        return step.gradient_norms
