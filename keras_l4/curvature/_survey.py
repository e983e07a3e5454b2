"""Survey: the measurements by which places on a loss surface are told apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_l4.curvature._effort import Effort
from keras_l4.curvature._kinds import Kind
from keras_l4.curvature._lanczos import Ritz, explore, solve
from keras_l4.curvature._measured import condition_number
from keras_l4.curvature._noise import gradient_noise_scale
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import Operator, hessian
from keras_l4.curvature._place import CriticalPointReport

RADIUS = 1e-2
SLOPE = 1e-3
FLAT = 1e-5
RAVINE = 1e3
_HALVINGS = 6
_NUM_RANDOM = 4


class LandscapeClassifier:
    """Measures what is needed to tell, and no more; `classify` has the definitions.

    Args:
        objective: The loss.
        effort: What it may take.
        batch_size: That of training.
    """

    def __init__(self, objective: Objective, effort: Effort, batch_size: int) -> None:
        self._objective, self._effort, self._batch_size = objective, effort, batch_size
        self._loss, self._gradient = objective.gradient()
        self._slope = float(np.linalg.norm(self._gradient))
        self._ritz = eigen(hessian(objective), effort)
        self._radius = RADIUS * max(1.0, float(np.linalg.norm(objective.weights)))
        self._rounding = 4 * objective.epsilon * abs(self._loss)

    def place(self) -> CriticalPointReport:
        """The place."""
        if self._is_critical():
            return self._critical()
        if self._slope * self._radius + self._bend() <= FLAT * abs(self._loss):
            changes = self._changes(self._directions(), self._radius)
            if self._is_flat(changes):
                return self._of("flat region", changes)
        noise = gradient_noise_scale(self._objective, self._gradient, self._batch_size)
        if noise > self._batch_size:
            return self._of("noise-limited", noise=noise)
        is_ravine = self._condition()[0] > RAVINE
        return self._of("ravine" if is_ravine else "descending", noise=noise)

    def _is_critical(self) -> bool:
        return self._slope * self._radius <= max(SLOPE * self._bend(), self._rounding)

    def _bend(self) -> float:
        """What curvature can change within the radius."""
        return float(np.abs(self._ritz.values).max()) * self._radius**2 / 2

    def _critical(self) -> CriticalPointReport:
        below, above = self._sign(0), self._sign(-1)
        if below < 0 < above:
            return self._saddle()
        if below == above != 0:
            return self._of("minimum" if above > 0 else "maximum")
        changes = self._changes(self._directions(), self._radius)
        return self._of("flat region" if self._is_flat(changes) else "degenerate", changes)

    def _sign(self, end: int) -> int:
        value, residual = self._ritz.values[end], self._ritz.residuals[end]
        magnitude = np.abs(self._ritz.values).max()
        zero = max(
            10 * self._objective.epsilon * magnitude, 2 * self._rounding / self._radius**2, residual
        )
        return int(np.sign(value)) if abs(value) > zero else 0

    def _saddle(self) -> CriticalPointReport:
        """Nearer and nearer, until higher orders do not hide the fall."""
        direction = {"v_min": self._ritz.vectors[:, 0]}
        for halving in range(_HALVINGS):
            distance = self._radius / 2**halving
            changes = self._changes(direction, distance)
            if max(changes.values()) < 0:
                break
        return self._of("saddle", changes, distance)

    def _directions(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(self._effort.seed)
        random = rng.normal(size=(_NUM_RANDOM, self._objective.size))
        random /= np.linalg.norm(random, axis=1, keepdims=True)
        ends = {"v_min": self._ritz.vectors[:, 0], "v_max": self._ritz.vectors[:, -1]}
        return ends | {f"random_{i}": vector for i, vector in enumerate(random)}

    def _changes(self, directions: Mapping[str, np.ndarray], distance: float) -> dict[str, float]:
        weights, loss = self._objective.weights, self._objective.loss
        return {
            f"{sign}{name}": loss(weights + float(f"{sign}1") * distance * vector) - self._loss
            for name, vector in directions.items()
            for sign in "+-"
        }

    def _is_flat(self, changes: Mapping[str, float]) -> bool:
        return max(map(abs, changes.values())) <= FLAT * abs(self._loss)

    def _condition(self) -> tuple[float, bool]:
        ritz, epsilon = self._ritz, self._objective.epsilon
        return condition_number(ritz, ritz.density, self._effort.quantile, epsilon)

    def _of(
        self,
        kind: Kind,
        changes: Mapping[str, float] | None = None,
        distance: float | None = None,
        noise: float = float("nan"),
    ) -> CriticalPointReport:
        condition, is_bound = self._condition()
        return CriticalPointReport(
            kind=kind,
            loss=self._loss,
            gradient_norm=self._slope,
            largest=float(self._ritz.values[-1]),
            smallest=float(self._ritz.values[0]),
            condition_number=condition,
            is_lower_bound=is_bound,
            noise_scale=noise,
            distance=self._radius if distance is None else distance,
            changes=changes or {},
        )


def eigen(operator: Operator, effort: Effort) -> Ritz:
    """The extreme eigenvalues of a matrix, with their vectors; all of a small one."""
    if operator.size <= effort.max_steps:
        return solve(operator)
    start = np.random.default_rng(effort.seed).normal(size=operator.size)
    return explore(operator, start, effort.max_steps, effort.tolerance)
