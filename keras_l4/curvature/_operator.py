"""Operator: a symmetric matrix that is accessed by products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_l4.curvature._objective import Objective


@dataclass(frozen=True)
class Operator:
    """A symmetric matrix `[size, size]`.

    Attributes:
        size: Number of rows.
        product: Multiplies the matrix by a vector; both vectors are `float64[size]`.
        epsilon: Precision of a product, relative to the eigenvalue of largest magnitude.
    """

    size: int
    product: Callable[[np.ndarray], np.ndarray]
    epsilon: float = 2.0**-52

    def matrix(self) -> np.ndarray:
        """Computes all elements, `float64[size, size]`, by `size` products, and symmetrizes them."""
        columns = np.array([self.product(unit) for unit in np.eye(self.size)])
        return (columns + columns.T) / 2


def hessian_operator(objective: Objective) -> Operator:
    """Returns the Hessian of the loss."""
    return Operator(objective.size, objective.product, objective.epsilon)


def layer_operator(objective: Objective, layer: str) -> Operator:
    """Returns the rows and columns of the Hessian that belong to the weights of one layer.

    Args:
        objective: The loss.
        layer: Path or name of the layer. It may contain other layers, such as a recurrent layer its
            cell.

    Raises:
        ValueError: No layer with trainable weights has this path or name.
    """
    indices = np.flatnonzero(_layer_mask(objective, layer))
    full_vector = np.zeros(objective.size)

    def product(vector: np.ndarray) -> np.ndarray:
        full_vector[indices] = vector
        return objective.product(full_vector)[indices]

    return Operator(indices.size, product, objective.epsilon)


def preconditioned_operator(operator: Operator, diagonal: np.ndarray) -> Operator:
    """Returns P^-1/2 H P^-1/2, which has the eigenvalues of P^-1 H and is symmetric.

    Args:
        operator: H.
        diagonal: P, `float64[size]`, positive.
    """
    root = np.sqrt(diagonal)
    return Operator(operator.size, lambda v: operator.product(v / root) / root, operator.epsilon)


def _layer_mask(objective: Objective, layer: str) -> np.ndarray:
    paths = [variable.path.rpartition("/")[0] for variable in objective.variables]
    is_inside = [f"/{layer}/" in f"/{path}/" for path in paths]
    if not any(is_inside):
        raise ValueError(f"layer={layer!r}: expected one of {sorted(set(paths))}.")
    sizes = [int(np.prod(variable.shape)) for variable in objective.variables]
    return np.repeat(is_inside, sizes)
