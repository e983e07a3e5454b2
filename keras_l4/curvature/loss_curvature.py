"""LossCurvature: everything that the `Curvature` callback measures at one moment of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from keras_l4.curvature._classify import LandscapeClassifier
from keras_l4.curvature._config import CurvatureConfig
from keras_l4.curvature._cost import median_seconds, seconds_per_product
from keras_l4.curvature._critical_point_report import CriticalPointReport
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian_operator
from keras_l4.curvature._slice import NUM_POINTS, Directions, Slice, surface
from keras_l4.curvature._spectrum import Spectrum, operator_spectrum
from keras_l4.curvature._stability import Stability, objective_stability


@dataclass(frozen=True)
class ExpectedCost:
    """The expected cost of a measurement.

    Attributes:
        num_products: Largest number of Hessian-vector products.
        seconds_per_product: Measured duration of a product.
    """

    num_products: int
    seconds_per_product: float

    @property
    def seconds(self) -> float:
        """Largest expected duration of the measurement."""
        return self.num_products * self.seconds_per_product


class LossCurvature:
    """The curvature of a model's loss on fixed data, at its weights at the time of creation.

    Args:
        model: A compiled model.
        data: Inputs, targets and sample weights.
        config: How the curvature is measured.
        training_batch_size: Number of examples of a batch in training.
    """

    def __init__(
        self,
        model: Any,
        data: tuple[Any, Any, Any],
        config: CurvatureConfig,
        training_batch_size: int,
    ) -> None:
        self._model, self._data, self._config = model, data, config
        self._training_batch_size = training_batch_size
        self._objective = Objective(model, *data, batch_size=config.batch_size)

    def expected_cost(self) -> ExpectedCost:
        """Measures four products, and returns the expected cost of the whole measurement."""
        size = self._objective.size
        # Products of `spectrum`, and Lanczos steps of `classify` and `stability`.
        num_products = self._config.max_products(size) + 2 * min(self._config.max_steps, size)
        return ExpectedCost(num_products, seconds_per_product(hessian_operator(self._objective)))

    def spectrum(self) -> Spectrum:
        """Measures the eigenvalues."""
        return operator_spectrum(hessian_operator(self._objective), self._config)

    def classify(self) -> CriticalPointReport:
        """Classifies the point on the loss surface."""
        batch_size = self._training_batch_size
        return LandscapeClassifier(self._objective, self._config, batch_size).classify()

    def stability(self) -> Stability | None:
        """Measures the stability of the optimizer; None if its threshold is not known."""
        try:
            return objective_stability(self._model, self._objective, self._config)
        except ValueError:
            return None

    def expected_slice_seconds(self, directions: Directions, trajectory_length: int) -> float:
        """Measures four losses, and four products if `slice` needs some, and returns its expected duration."""
        num_losses = NUM_POINTS**2 + trajectory_length
        seconds = num_losses * median_seconds(self._objective.loss)
        if directions == "hessian":
            operator = hessian_operator(self._objective)
            num_products = min(self._config.max_steps, operator.size)
            seconds += num_products * seconds_per_product(operator)
        return seconds

    def slice(self, directions: Directions, trajectory: Sequence[Sequence[np.ndarray]]) -> Slice:
        """Computes a slice of the loss surface, with the trajectory up to this moment."""
        return surface(
            self._model,
            *self._data,
            directions=directions,
            trajectory=trajectory,
            **asdict(self._config),
        )
