"""Measurement: all that is measured of the curvature at one moment of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from keras_l4.curvature._directions import Directions
from keras_l4.curvature._effort import Effort
from keras_l4.curvature._meter import seconds_per_product, usual_seconds
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian
from keras_l4.curvature._place import CriticalPointReport
from keras_l4.curvature._slice import NUM_POINTS, Slice, surface
from keras_l4.curvature._spectrum import Spectrum, spectrum_of
from keras_l4.curvature._stability import Stability, stability_of
from keras_l4.curvature._survey import LandscapeClassifier


@dataclass(frozen=True)
class Cost:
    """What a measurement is expected to take.

    Attributes:
        num_products: The most Hessian-vector products.
        seconds_per_product: Measured.
    """

    num_products: int
    seconds_per_product: float

    @property
    def seconds(self) -> float:
        """Of the whole measurement."""
        return self.num_products * self.seconds_per_product


class Measurement:
    """The curvature of a model's loss on fixed data, at its weights as they are now.

    Args:
        model: A compiled model.
        data: Inputs, targets and sample weights.
        effort: What it may take.
        training_batch_size: Examples of a batch in training.
    """

    def __init__(
        self, model: Any, data: tuple[Any, Any, Any], effort: Effort, training_batch_size: int
    ) -> None:
        self._model, self._effort, self._batch_size = model, effort, training_batch_size
        self._data = data
        self._objective = Objective(model, *data, batch_size=effort.batch_size)

    def cost(self) -> Cost:
        """By four products as a trial."""
        size = self._objective.size
        # The spectrum, the place, and the sharpness that the optimizer sees.
        number = self._effort.num_products(size) + 2 * min(self._effort.max_steps, size)
        return Cost(number, seconds_per_product(hessian(self._objective)))

    def spectrum(self) -> Spectrum:
        """The eigenvalues."""
        return spectrum_of(hessian(self._objective), self._effort)

    def place(self) -> CriticalPointReport:
        """Where the model stands."""
        return LandscapeClassifier(self._objective, self._effort, self._batch_size).place()

    def stability(self) -> Stability | None:
        """How close the optimizer is to the edge; None where no threshold is known for it."""
        try:
            return stability_of(self._model, self._objective, self._effort)
        except ValueError:
            return None

    def slice_seconds(self, directions: Directions, num_moments: int) -> float:
        """What `slice` is expected to take, by four losses, and four products, as a trial."""
        num_losses = NUM_POINTS**2 + num_moments
        seconds = num_losses * usual_seconds(self._objective.loss)
        if directions == "hessian":
            operator = hessian(self._objective)
            seconds += min(self._effort.max_steps, operator.size) * seconds_per_product(operator)
        return seconds

    def slice(self, directions: Directions, trajectory: Sequence[Sequence[np.ndarray]]) -> Slice:
        """A cut through the loss surface, with the trajectory that led here."""
        given = asdict(self._effort)
        return surface(
            self._model, *self._data, directions=directions, trajectory=trajectory, **given
        )
