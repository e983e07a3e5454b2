"""Density: the distribution of the eigenvalues of a Hessian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Density:
    """The distribution of eigenvalues, as weighted points.

    The points are all eigenvalues, with equal weights, if these were computed. Otherwise they are
    the nodes and weights of stochastic Lanczos quadrature, which integrate smooth functions over the
    spectrum.

    Attributes:
        values: The points, ascending, `float64[k]`, in units of loss per squared unit of weight.
        weights: Share of the spectrum of each point, `float64[k]`; they sum to 1.
        magnitudes: |λ|, `float64[k]`, or an upper bound of it for a quadrature: for each value m,
            at least the share of the eigenvalues with a bound up to m has |λ| up to m.

    >>> import numpy as np
    >>> density = density_of_eigenvalues(np.array([-1.0, 0.1, 0.2, 5.0]))
    >>> density.share_below(0.0), density.magnitude_quantile(0.5)
    (0.25, 0.2)
    """

    values: np.ndarray
    weights: np.ndarray
    magnitudes: np.ndarray

    def share_below(self, value: float) -> float:
        """Returns the share of eigenvalues less than `value`; for 0, that of negative curvature."""
        return float(self.weights[self.values < value].sum())

    def magnitude_quantile(self, q: float) -> float:
        """Returns a magnitude that at least the share `q` of the eigenvalues does not exceed."""
        order = np.argsort(self.magnitudes)
        cumulative = np.cumsum(self.weights[order])
        # The small subtrahend makes up for rounding in the cumulative sum.
        first = int(np.searchsorted(cumulative, q - 1e-9))
        return float(self.magnitudes[order[min(first, len(order) - 1)]])


def density_of_eigenvalues(values: np.ndarray) -> Density:
    """Returns the density of all eigenvalues of a matrix, ascending."""
    return Density(values, np.full(len(values), 1 / len(values)), np.abs(values))


def density_of_quadrature(nodes: np.ndarray, weights: np.ndarray) -> Density:
    """Returns the density that a Gauss quadrature estimates, from its nodes, ascending.

    The part of the spectrum that a node stands for lies between its neighbours, so that their
    magnitudes bound it: the spectrum between two nodes has at least the weight of the nodes between
    them (Chebyshev, Markov, Stieltjes; Golub and Meurant 2010).
    """
    largest = np.abs(nodes).max(keepdims=True)
    neighbours = np.concatenate([largest, np.abs(nodes), largest])
    return Density(nodes, weights, np.maximum(neighbours[:-2], neighbours[2:]))


def mean_density(densities: Sequence[Density]) -> Density:
    """Returns the mean of several densities."""
    values = np.concatenate([density.values for density in densities])
    weights = np.concatenate([density.weights for density in densities]) / len(densities)
    magnitudes = np.concatenate([density.magnitudes for density in densities])
    order = np.argsort(values)
    return Density(values[order], weights[order], magnitudes[order])
