"""Operator: a symmetric matrix that is known by its products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_l4.curvature._objective import Objective


@dataclass(frozen=True)
class Operator:
    """A symmetric matrix `[size, size]`.

    Attributes:
        size: Rows of it.
        product: Takes and gives `float64[size]`.
        epsilon: The precision of a product, relative to the largest eigenvalue.
    """

    size: int
    product: Callable[[np.ndarray], np.ndarray]
    epsilon: float = 2.0**-52

    def matrix(self) -> np.ndarray:
        """All of it, `float64[size, size]`, by as many products; made symmetric."""
        columns = np.array([self.product(unit) for unit in np.eye(self.size)])
        return (columns + columns.T) / 2


def hessian(objective: Objective) -> Operator:
    """The Hessian of the loss."""
    return Operator(objective.size, objective.product, objective.epsilon)


def block(objective: Objective, layer: str) -> Operator:
    """The rows and columns of the Hessian that belong to the weights of one layer.

    Raises:
        ValueError: No layer with trainable weights has this path or name.
    """
    held = np.flatnonzero(_layer_mask(objective, layer))
    whole = np.zeros(objective.size)

    def product(vector: np.ndarray) -> np.ndarray:
        whole[held] = vector
        return objective.product(whole)[held]

    return Operator(held.size, product, objective.epsilon)


def preconditioned(whole: Operator, diagonal: np.ndarray) -> Operator:
    """P^-1/2 H P^-1/2, which has the eigenvalues of P^-1 H.

    Args:
        whole: H.
        diagonal: P, `float64[size]`, positive.
    """
    root = np.sqrt(diagonal)
    return Operator(whole.size, lambda v: whole.product(v / root) / root, whole.epsilon)


def _layer_mask(objective: Objective, layer: str) -> np.ndarray:
    paths = [variable.path.rpartition("/")[0] for variable in objective.variables]
    # A layer may hold others, as a recurrent one does its cell.
    chosen = [f"/{layer}/" in f"/{path}/" for path in paths]
    if not any(chosen):
        raise ValueError(f"layer={layer!r}: expected one of {sorted(set(paths))}.")
    sizes = [int(np.prod(variable.shape)) for variable in objective.variables]
    return np.repeat(chosen, sizes)
