"""Eigenpairs of a symmetric matrix: by Lanczos with full reorthogonalization, or by a dense solver.

All of it computes in float64 on the host.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from keras_l4.curvature._config import CurvatureConfig
from keras_l4.curvature._density import Density, density_of_eigenvalues, density_of_quadrature
from keras_l4.curvature._operator import Operator

EPSILON = 2.0**-52


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenpairs of a symmetric matrix: either all, or approximations of the extreme ones.

    Attributes:
        values: Eigenvalues, ascending, `float64[k]`.
        vectors: Their eigenvectors, of unit length, in columns, `float64[size, k]`.
        residuals: ‖A v − λ v‖, `float64[k]`. The matrix has an eigenvalue within that distance of λ.
        density: The density of the spectrum; an estimate if not all eigenvalues were computed.
        is_complete: True if these are all eigenvalues.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    density: Density
    is_complete: bool


class KrylovSpace:
    """The Krylov space of a start vector, grown step by step.

    Each new vector is orthogonalized twice against all before it. Without that, rounding makes
    converged eigenvalues appear again as duplicates (Paige 1976). The basis takes 8 bytes per weight
    and step.

    Args:
        operator: The matrix.
        start: The start vector, `float64[size]`, not zero.
        num_steps: The largest number of steps.
    """

    def __init__(self, operator: Operator, start: np.ndarray, num_steps: int) -> None:
        self._operator = operator
        self._max_steps = min(num_steps, operator.size)
        self._basis = np.empty((self._max_steps + 1, operator.size))
        self._basis[0] = start / np.linalg.norm(start)
        self.diagonal: list[float] = []
        self._off_diagonal: list[float] = []

    @property
    def is_complete(self) -> bool:
        """True if all steps were taken, or the space contains all that is reachable from the start."""
        return len(self.diagonal) == self._max_steps or self._is_invariant

    @property
    def _is_invariant(self) -> bool:
        scale = np.abs([*self.diagonal, *self._off_diagonal]).max(initial=0.0)
        is_whole_space = len(self.diagonal) == self._operator.size
        is_exhausted = bool(self.diagonal) and self._off_diagonal[-1] <= 4 * EPSILON * scale
        return is_whole_space or is_exhausted

    def grow(self) -> None:
        """Adds one vector; computes one Hessian-vector product."""
        num_steps = len(self.diagonal)
        basis = self._basis[: num_steps + 1]
        image = self._operator.product(basis[-1])
        self.diagonal.append(float(image @ basis[-1]))
        for _ in range(2):
            image = image - basis.T @ (basis @ image)
        length = float(np.linalg.norm(image))
        self._off_diagonal.append(length)
        self._basis[num_steps + 1] = image / (length or 1.0)

    def has_converged(self, tolerance: float) -> bool:
        """Returns True if the residuals of both extreme eigenvalues are within the tolerance.

        Residuals within the precision of a product are accepted, too: they cannot become smaller.
        """
        values, vectors = self._tridiagonal_eigenpairs()
        precision = 10 * self._operator.epsilon * np.abs(values).max()
        accepted = np.maximum(tolerance * np.abs(values), precision)
        return bool((self._residuals(values, vectors) <= accepted)[[0, -1]].all())

    def density(self) -> Density:
        """Returns the density of the spectrum, as the start vector samples it."""
        values, vectors = self._tridiagonal_eigenpairs()
        return density_of_quadrature(values, vectors[0] ** 2)

    def eigenpairs(self) -> Eigenpairs:
        """Returns the approximations within the space; computing the vectors takes long."""
        values, vectors = self._tridiagonal_eigenpairs()
        ritz_vectors = self._basis[: len(values)].T @ vectors
        residuals = self._residuals(values, vectors)
        return Eigenpairs(values, ritz_vectors, residuals, self.density(), is_complete=False)

    def _tridiagonal_eigenpairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Solves the projection of the matrix onto the space."""
        return eigh_tridiagonal(self.diagonal, self._off_diagonal[:-1])

    def _residuals(self, values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        # In an invariant space, the last off-diagonal element is only rounding.
        remainder = 0.0 if self._is_invariant else self._off_diagonal[-1]
        precision = self._operator.epsilon * np.abs(values).max()
        return np.maximum(np.abs(remainder * vectors[-1]), precision)


def lanczos(operator: Operator, start: np.ndarray, num_steps: int, tolerance: float) -> Eigenpairs:
    """Grows a Krylov space until its largest and its smallest eigenvalue have converged.

    Args:
        operator: The matrix.
        start: The start vector, `float64[size]`. It must have a component along every eigenvector,
            as a normal sample has.
        num_steps: The largest number of products.
        tolerance: Largest residual of both, relative to the magnitude of the eigenvalue.
    """
    space = KrylovSpace(operator, start, num_steps)
    space.grow()
    while not space.is_complete and not space.has_converged(tolerance):
        space.grow()
    return space.eigenpairs()


def dense_eigenpairs(operator: Operator) -> Eigenpairs:
    """Computes all eigenvalues, by as many products as the matrix has rows."""
    matrix = operator.matrix()
    values, vectors = np.linalg.eigh(matrix)
    precision = operator.epsilon * np.abs(values).max()
    residuals = np.linalg.norm(matrix @ vectors - vectors * values, axis=0)
    return Eigenpairs(
        values,
        vectors,
        np.maximum(residuals, precision),
        density_of_eigenvalues(values),
        is_complete=True,
    )


def extreme_eigenpairs(operator: Operator, config: CurvatureConfig) -> Eigenpairs:
    """Returns the extreme eigenvalues with their vectors, or all of them if that takes no longer."""
    if operator.size <= config.max_steps:
        return dense_eigenpairs(operator)
    start = np.random.default_rng(config.seed).normal(size=operator.size)
    return lanczos(operator, start, config.max_steps, config.tolerance)
