"""What is true of a Hessian, without a second derivative: differences of gradients."""

from __future__ import annotations

import numpy as np

from keras_l4.curvature._objective import Objective

_STEP = 1e-5


def dense_hessian(objective: Objective) -> np.ndarray:
    """`float64[size, size]`, of a model in float64, within about 1e-8 of its norm."""
    columns = []
    for unit in np.eye(objective.size):
        ahead = objective.gradient(objective.weights + _STEP * unit)[1]
        behind = objective.gradient(objective.weights - _STEP * unit)[1]
        columns.append((ahead - behind) / (2 * _STEP))
    matrix = np.array(columns)
    return (matrix + matrix.T) / 2
