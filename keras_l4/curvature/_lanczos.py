"""Lanczos with full reorthogonalisation, in float64 on the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from keras_l4.curvature._density import Density, exact, quadrature
from keras_l4.curvature._operator import Operator

EPSILON = 2.0**-52


@dataclass(frozen=True)
class Ritz:
    """What is known of a symmetric matrix.

    Attributes:
        values: Approximate eigenvalues, ascending, `float64[k]`.
        vectors: Theirs, of unit length, in columns, `float64[size, k]`.
        residuals: ‖A v − λ v‖, `float64[k]`: an eigenvalue lies within that distance.
        density: The spectrum, as the start saw it.
        is_whole: Whether these are all eigenvalues.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    density: Density
    is_whole: bool


class Krylov:
    """The Krylov space of a start vector, grown step by step.

    Each new vector is made orthogonal to all before it, twice: without that, eigenvalues that are
    found come again as ghosts (Paige 1976). It takes 8 bytes per weight and step.

    Args:
        operator: The matrix.
        start: `float64[size]`, not zero.
        num_steps: The most that it can grow.
    """

    def __init__(self, operator: Operator, start: np.ndarray, num_steps: int) -> None:
        self._operator = operator
        self._most = min(num_steps, operator.size)
        self._basis = np.empty((self._most + 1, operator.size))
        self._basis[0] = start / np.linalg.norm(start)
        self.diagonal: list[float] = []
        self._beside: list[float] = []

    @property
    def is_complete(self) -> bool:
        """Whether it cannot grow, or holds all that the start can reach."""
        return len(self.diagonal) == self._most or self._is_exhausted

    @property
    def _is_exhausted(self) -> bool:
        scale = np.abs([*self.diagonal, *self._beside]).max(initial=0.0)
        full = len(self.diagonal) == self._operator.size
        return bool(self.diagonal) and (full or self._beside[-1] <= 4 * EPSILON * scale)

    def grow(self) -> None:
        """One product more."""
        done = len(self.diagonal)
        basis = self._basis[: done + 1]
        image = self._operator.product(basis[-1])
        self.diagonal.append(float(image @ basis[-1]))
        for _ in range(2):
            image = image - basis.T @ (basis @ image)
        length = float(np.linalg.norm(image))
        self._beside.append(length)
        self._basis[done + 1] = image / (length or 1.0)

    def is_settled(self, tolerance: float) -> bool:
        """Whether the largest and the smallest eigenvalue are known well enough."""
        values, small = self._eigen()
        rounding = 10 * self._operator.epsilon * np.abs(values).max()
        needed = np.maximum(tolerance * np.abs(values), rounding)
        return bool((self._residuals(values, small) <= needed)[[0, -1]].all())

    def density(self) -> Density:
        """The spectrum, as the start sees it."""
        values, small = self._eigen()
        return quadrature(values, small[0] ** 2)

    def ritz(self) -> Ritz:
        """The eigenvalues of the matrix within the space, and, which takes long, their vectors."""
        values, small = self._eigen()
        vectors = self._basis[: len(values)].T @ small
        return Ritz(values, vectors, self._residuals(values, small), self.density(), False)

    def _eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the matrix as the basis sees it."""
        return eigh_tridiagonal(self.diagonal, self._beside[:-1])

    def _residuals(self, values: np.ndarray, small: np.ndarray) -> np.ndarray:
        # What is left of a whole space is rounding.
        left = 0.0 if self._is_exhausted else self._beside[-1]
        rounding = self._operator.epsilon * np.abs(values).max()
        return np.maximum(np.abs(left * small[-1]), rounding)


def explore(operator: Operator, start: np.ndarray, num_steps: int, tolerance: float) -> Ritz:
    """Grows a Krylov space until its largest and its smallest eigenvalue are known.

    Args:
        operator: The matrix.
        start: `float64[size]`, with a part of every eigenvector, as a normal sample has.
        num_steps: The most products to take.
        tolerance: Of both, residual by magnitude; what rounding allows is enough, too.
    """
    space = Krylov(operator, start, num_steps)
    space.grow()
    while not space.is_complete and not space.is_settled(tolerance):
        space.grow()
    return space.ritz()


def solve(operator: Operator) -> Ritz:
    """All eigenvalues, by as many products as the matrix has rows."""
    matrix = operator.matrix()
    values, vectors = np.linalg.eigh(matrix)
    rounding = operator.epsilon * np.abs(values).max()
    residuals = np.linalg.norm(matrix @ vectors - vectors * values, axis=0)
    return Ritz(values, vectors, np.maximum(residuals, rounding), exact(values), True)
