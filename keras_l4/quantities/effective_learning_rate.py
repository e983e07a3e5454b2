"""Effective learning rate: how far one unit of the direction moves a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_l4.quantities._base import EVERY_STEP, Derived

if TYPE_CHECKING:
    import numpy as np

    from keras_l4.recorder.step_table import StepTable


class EffectiveLearningRate(Derived):
    """The factor on the direction before the learning rate enters, one per variable.

    The optimizer's closed form at the mean second moment of the variable; ‖Δw‖ / ‖gradient‖
    for an optimizer without one (NaN where the gradient is zero).
    """

    name = "effective_learning_rate"
    unit = "unit of weight per unit of direction"
    when = EVERY_STEP
    pool = "mean_by_size"
    reads = ("_rate_statistic",)

    def derive(self, rows: StepTable) -> np.ndarray:
        return rows.effective(rows["_rate_statistic"])
