"""The Hessian by differences of gradients, which needs no second derivative."""

from __future__ import annotations

import numpy as np

from keras_l4.curvature._objective import Objective


def dense_hessian(objective: Objective, step: float = 1e-5) -> np.ndarray:
    """Returns the Hessian of a model in float64, `float64[size, size]`, within 1e-8 of its norm.

    If an operation computes in float32 whatever its inputs are, a step of 1e-3 is within 1e-5.
    """
    columns = []
    for unit in np.eye(objective.size):
        ahead = objective.gradient(objective.weights + step * unit)[1]
        behind = objective.gradient(objective.weights - step * unit)[1]
        columns.append((ahead - behind) / (2 * step))
    matrix = np.array(columns)
    return (matrix + matrix.T) / 2
