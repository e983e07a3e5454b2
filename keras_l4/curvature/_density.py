"""Density: how the eigenvalues of a Hessian are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Density:
    """The distribution of eigenvalues, as weighted points.

    All eigenvalues with equal weights where they are known; else the nodes and weights of
    stochastic Lanczos quadrature, which integrate smooth functions over the spectrum.

    Attributes:
        values: Ascending, `float64[k]`, in units of loss per squared unit of weight.
        weights: Shares of the spectrum, `float64[k]`, of sum 1.
        magnitudes: `float64[k]`: |λ|, or a bound of it where only nodes are known. A share of the
            spectrum as large as the weights together has no larger magnitudes.

    >>> import numpy as np
    >>> density = exact(np.array([-1.0, 0.1, 0.2, 5.0]))
    >>> density.share_below(0.0), density.magnitude_quantile(0.5)
    (0.25, 0.2)
    """

    values: np.ndarray
    weights: np.ndarray
    magnitudes: np.ndarray

    def share_below(self, value: float) -> float:
        """The share of eigenvalues less than `value`; below 0 it is that of negative curvature."""
        return float(self.weights[self.values < value].sum())

    def magnitude_quantile(self, q: float) -> float:
        """What the magnitudes of a share of at least `q` of the eigenvalues do not exceed."""
        order = np.argsort(self.magnitudes)
        reached = np.cumsum(self.weights[order])
        # Sums of shares are rounded.
        first = int(np.searchsorted(reached, q - 1e-9))
        return float(self.magnitudes[order[min(first, len(order) - 1)]])


def exact(values: np.ndarray) -> Density:
    """Of eigenvalues that are all known, ascending."""
    return Density(values, np.full(len(values), 1 / len(values)), np.abs(values))


def quadrature(nodes: np.ndarray, weights: np.ndarray) -> Density:
    """Of the nodes and weights of a Gauss quadrature, ascending.

    Where its part of the spectrum lies, a node tells only up to its neighbours: between two nodes
    lies at least the weight of those between them (Chebyshev, Markov, Stieltjes; Golub and Meurant
    2010).
    """
    largest = np.abs(nodes).max(keepdims=True)
    around = np.concatenate([largest, np.abs(nodes), largest])
    return Density(nodes, weights, np.maximum(around[:-2], around[2:]))


def pooled(parts: Sequence[Density]) -> Density:
    """The mean of several densities."""
    values = np.concatenate([part.values for part in parts])
    weights = np.concatenate([part.weights for part in parts]) / len(parts)
    magnitudes = np.concatenate([part.magnitudes for part in parts])
    order = np.argsort(values)
    return Density(values[order], weights[order], magnitudes[order])
