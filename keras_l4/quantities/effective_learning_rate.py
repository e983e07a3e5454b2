"""Effective learning rate: how far one unit of the update direction moves a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_l4.quantities._base import EVERY_STEP, DerivedQuantity, MeasuredValues

if TYPE_CHECKING:
    import numpy as np


class EffectiveLearningRate(DerivedQuantity):
    """The factor between the update direction and the update, one per variable.

    It is the optimizer's closed form at the mean second moment of the variable (see
    `keras_l4.optimizers`). For an optimizer without a closed form it is ‖Δw‖ / ‖gradient‖, which is
    NaN if the gradient is zero. Layers: the mean over variables, weighted by their size.
    """

    name = "effective_learning_rate"
    unit = "unit of weight per unit of direction"
    when = EVERY_STEP
    pool = "mean_by_size"
    reads = ("_rate_statistic",)

    def derive(self, measured: MeasuredValues) -> np.ndarray:
        return measured.effective_rate(measured["_rate_statistic"])
