"""Update ratio: how far a variable moved, relative to its norm."""

from __future__ import annotations

import numpy as np

from keras_l4.quantities._base import SAMPLED, DerivedQuantity, MeasuredValues


class UpdateRatio(DerivedQuantity):
    """‖Δw‖ / ‖w‖. About 1e-3 is usual.

    Inf if the variable was zero and moved, NaN if it was zero and did not. Layers: the same
    quotient, of the norms over all variables of the layer.
    """

    name = "update_ratio"
    unit = "1"
    when = SAMPLED
    pool = "update_ratio"
    reads = ("update_norm", "weight_norm")

    def derive(self, measured: MeasuredValues) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return measured["update_norm"].astype(np.float64) / measured["weight_norm"]
