"""What is true of a Hessian, without a second derivative: differences of gradients."""

from __future__ import annotations

import numpy as np

from keras_l4.curvature._objective import Objective


def dense_hessian(objective: Objective, step: float = 1e-5) -> np.ndarray:
    """`float64[size, size]`, of a model in float64, within about 1e-8 of its norm.

    Where an operation computes in float32 whatever it is given, a step of 1e-3 leaves about 1e-5.
    """
    columns = []
    for unit in np.eye(objective.size):
        ahead = objective.gradient(objective.weights + step * unit)[1]
        behind = objective.gradient(objective.weights - step * unit)[1]
        columns.append((ahead - behind) / (2 * step))
    matrix = np.array(columns)
    return (matrix + matrix.T) / 2
