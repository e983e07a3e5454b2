"""classify: the kind of point on the loss surface that a model is at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from keras_l4.curvature._config import CurvatureArguments, CurvatureConfig
from keras_l4.curvature._critical_point_report import CriticalPointReport, Kind
from keras_l4.curvature._eigenpairs import extreme_eigenpairs
from keras_l4.curvature._gradient_noise import gradient_noise_scale
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian_operator
from keras_l4.curvature._spectrum import condition_number

# The thresholds of the definitions in the docstring of `classify`.
RELATIVE_RADIUS = 1e-2
MAX_SLOPE_RATIO = 1e-3
FLATNESS = 1e-5
RAVINE_CONDITION = 1e3
_MAX_HALVINGS = 6
_NUM_RANDOM_DIRECTIONS = 4


def classify(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    training_batch_size: int = 32,
    **config: Unpack[CurvatureArguments],
) -> CriticalPointReport:
    """Classifies the point on the loss surface of these data that the model's weights w are at.

    With L the loss, g its gradient, λmax and λmin the extreme eigenvalues of its Hessian, Λ the
    larger of their magnitudes, r = 0.01 max(1, ‖w‖) and ε the precision of the model's numbers:

    A point is critical if ‖g‖ r ≤ max(10⁻³ Λ r²/2, 4 ε |L|): within r, the slope changes the loss by
    at most a thousandth of what the curvature does, or by less than rounding. An eigenvalue counts as
    zero if |λ| ≤ max(10 ε Λ, 8 ε |L|/r², its residual): it is rounding. A critical point is a

    - minimum: both extremes are above zero;
    - maximum: both are below zero;
    - saddle: one is above, one below. Certificate: the loss falls along +v_min and along -v_min
      (Dauphin et al. 2014);
    - flat region: otherwise, if the loss changes by at most 10⁻⁵ |L| within r, along ± the
      eigenvectors of the extremes and random directions. Certificate: these changes;
    - degenerate: otherwise. The second order does not decide. Certificate: the changes of the loss
      along these directions, which higher orders cause.

    Any other point is, the first that holds,

    - flat region: ‖g‖ r + Λ r²/2 ≤ 10⁻⁵ |L|, with the changes measured as above;
    - noise-limited: the gradient noise scale is larger than `training_batch_size`, so that a batch
      has more noise than gradient (McCandlish, Kaplan, Amodei 2018). Certificate: that scale,
      from half batches of the data in their order. Shuffle the data if they are sorted;
    - ravine: κ = λmax/|λ|_q is above 1000;
    - descending: none of these.

    Args:
        model: A compiled model. Its variables are not changed.
        x: Inputs: an array, or a structure of arrays.
        y: Targets: an array, or a structure of arrays; None if the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        training_batch_size: Number of examples of a batch in training.
        **config: Fields of `keras_l4.curvature.CurvatureConfig`; `num_probes` and `num_steps` have
            no effect.

    Raises:
        TypeError: The data are not arrays, but a dataset, for instance.
        ValueError: An argument is invalid.
        NotImplementedError: A layer has no second derivative, or a wrong one because of a custom
            gradient; the layer is named.

    Example:

    >>> import keras_l4
    >>> surface = keras_l4.surfaces.saddle()
    >>> report = classify(surface.model("sgd", start=(0.0, 0.0)), *surface.data())
    >>> report.kind, report.largest, report.smallest, report.changes["+v_min"] < 0
    ('saddle', 1.0, -1.0, True)
    """
    settings = CurvatureConfig(**config)
    objective = Objective(model, x, y, sample_weight, batch_size=settings.batch_size)
    return LandscapeClassifier(objective, settings, training_batch_size).classify()


class LandscapeClassifier:
    """Takes the measurements that decide the kind of a point, and no others; see `classify`.

    Args:
        objective: The loss.
        config: How eigenvalues are computed.
        training_batch_size: Number of examples of a batch in training.
    """

    def __init__(
        self, objective: Objective, config: CurvatureConfig, training_batch_size: int
    ) -> None:
        self._objective, self._config = objective, config
        self._training_batch_size = training_batch_size
        self._loss, self._gradient = objective.gradient()
        self._gradient_norm = float(np.linalg.norm(self._gradient))
        self._eigenpairs = extreme_eigenpairs(hessian_operator(objective), config)
        self._radius = RELATIVE_RADIUS * max(1.0, float(np.linalg.norm(objective.weights)))
        self._loss_precision = 4 * objective.epsilon * abs(self._loss)

    def classify(self) -> CriticalPointReport:
        """Returns the kind of the point that the weights are at, with the measurements."""
        slope_change = self._gradient_norm * self._radius
        curvature_change = self._curvature_change()
        if slope_change <= max(MAX_SLOPE_RATIO * curvature_change, self._loss_precision):
            return self._classify_critical()
        if slope_change + curvature_change <= FLATNESS * abs(self._loss):
            changes = self._changes(self._directions(), self._radius)
            if self._is_flat(changes):
                return self._report("flat region", changes)
        noise = gradient_noise_scale(self._objective, self._gradient, self._training_batch_size)
        if noise > self._training_batch_size:
            return self._report("noise-limited", noise=noise)
        is_ravine = self._condition_number()[0] > RAVINE_CONDITION
        return self._report("ravine" if is_ravine else "descending", noise=noise)

    def _curvature_change(self) -> float:
        """Returns the largest change of the loss that curvature can cause within the radius."""
        return float(np.abs(self._eigenpairs.values).max()) * self._radius**2 / 2

    def _classify_critical(self) -> CriticalPointReport:
        smallest_sign, largest_sign = self._sign(0), self._sign(-1)
        if smallest_sign < 0 < largest_sign:
            return self._report_saddle()
        if smallest_sign == largest_sign != 0:
            return self._report("minimum" if largest_sign > 0 else "maximum")
        changes = self._changes(self._directions(), self._radius)
        return self._report("flat region" if self._is_flat(changes) else "degenerate", changes)

    def _sign(self, index: int) -> int:
        """Returns the sign of an eigenvalue; 0 if it may be rounding."""
        value, residual = self._eigenpairs.values[index], self._eigenpairs.residuals[index]
        zero_threshold = max(
            10 * self._objective.epsilon * np.abs(self._eigenpairs.values).max(),
            2 * self._loss_precision / self._radius**2,
            residual,
        )
        return int(np.sign(value)) if abs(value) > zero_threshold else 0

    def _report_saddle(self) -> CriticalPointReport:
        # Halve the distance until the loss decreases in both directions: farther away, higher orders
        # may hide the negative curvature.
        direction = {"v_min": self._eigenpairs.vectors[:, 0]}
        for halving in range(_MAX_HALVINGS):
            distance = self._radius / 2**halving
            changes = self._changes(direction, distance)
            if max(changes.values()) < 0:
                break
        return self._report("saddle", changes, distance)

    def _directions(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(self._config.seed)
        random = rng.normal(size=(_NUM_RANDOM_DIRECTIONS, self._objective.size))
        random /= np.linalg.norm(random, axis=1, keepdims=True)
        vectors = self._eigenpairs.vectors
        directions = {"v_min": vectors[:, 0], "v_max": vectors[:, -1]}
        return directions | {f"random_{i}": vector for i, vector in enumerate(random)}

    def _changes(self, directions: Mapping[str, np.ndarray], distance: float) -> dict[str, float]:
        """Measures the change of the loss at a distance along ± each direction."""
        weights, loss = self._objective.weights, self._objective.loss
        return {
            f"{sign}{name}": loss(weights + float(f"{sign}1") * distance * vector) - self._loss
            for name, vector in directions.items()
            for sign in "+-"
        }

    def _is_flat(self, changes: Mapping[str, float]) -> bool:
        return max(map(abs, changes.values())) <= FLATNESS * abs(self._loss)

    def _condition_number(self) -> tuple[float, bool]:
        pairs, epsilon = self._eigenpairs, self._objective.epsilon
        return condition_number(pairs, pairs.density, self._config.quantile, epsilon)

    def _report(
        self,
        kind: Kind,
        changes: Mapping[str, float] | None = None,
        distance: float | None = None,
        noise: float = float("nan"),
    ) -> CriticalPointReport:
        condition, is_lower_bound = self._condition_number()
        return CriticalPointReport(
            kind=kind,
            loss=self._loss,
            gradient_norm=self._gradient_norm,
            largest=float(self._eigenpairs.values[-1]),
            smallest=float(self._eigenpairs.values[0]),
            condition_number=condition,
            is_lower_bound=is_lower_bound,
            noise_scale=noise,
            distance=self._radius if distance is None else distance,
            changes=changes or {},
        )
