"""Update ratio: how far a variable moved, in units of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_l4.quantities._base import SAMPLED, Derived

if TYPE_CHECKING:
    from keras_l4.recorder.step_table import StepTable


class UpdateRatio(Derived):
    """‖Δw‖ / ‖w‖. About 1e-3 is usual; Inf for a variable that was zero, NaN if it stays so."""

    name = "update_ratio"
    unit = "1"
    when = SAMPLED
    pool = "update_ratio"
    reads = ("update_norm", "weight_norm")

    def derive(self, rows: StepTable) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return rows["update_norm"].astype(np.float64) / rows["weight_norm"]
