"""Surveyor: measures the curvature while `fit` runs, as often as its budget allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.callbacks.budget import Budget
from keras_l4.callbacks.weight_trajectory import Trajectory, Weights
from keras_l4.curvature import CriticalPointReport, Directions, Effort, Slice, Spectrum, Stability
from keras_l4.curvature.measurement import Measurement
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice

# To compile a loss, its gradient and its second derivative takes about so many first steps.
_COMPILATIONS = 4
_LONG = 30.0  # Seconds that a user should not have to wait without a word on what to do.
NAN = float("nan")


class CurvatureScheduler:
    """Measures, and leaves the training as it is.

    Args:
        data: Inputs, targets and sample weights.
        effort: What a measurement may take.
        budget: What all of them may take.
        say: Prints a line.
    """

    def __init__(
        self, data: tuple[Any, Any, Any], effort: Effort, budget: Budget, say: Callable[[str], None]
    ) -> None:
        self._data, self._effort, self._budget, self._say = data, effort, budget, say

    def begin(self, model: Any) -> None:
        """A `fit` begins."""
        self._model = model
        self._trajectory = Trajectory()
        self._batch_size = keras_internals.fit_arguments().get("batch_size") or 32
        self._expected: float | None = None
        self._waits = False
        self._first_step: float | None = None
        self._budget.begin()

    def note_step(self) -> None:
        """A step is done; what the first one took tells what compilation costs."""
        if self._first_step is None:
            self._first_step = self._budget.trained

    def may_measure(self) -> bool:
        """Whether the budget allows another measurement, as far as its cost is known."""
        return self._budget.affords(self._expected or self._trial_cost())

    def measure(self, step: int, epoch: int) -> CurvatureMeasurement | None:
        """The curvature after this step; None where it would cost too much."""
        if not self._affords_a_trial():
            return None
        with self._budget.spending(), keras_internals.same_random_state():
            if self._expected is None:
                self._expected = self._estimate()
            if not self._budget.affords(self._expected):
                self._wait()
                return None
            begin = time.monotonic()
            note = self._measured(step, epoch)
            self._expected = time.monotonic() - begin
            return note

    def remember(self, step: int) -> None:
        """Keeps the weights after this step for the trajectory of a slice."""
        with self._budget.spending():
            self._trajectory.offer(step, self._weights)

    def cut(self, step: int, epoch: int, directions: Directions) -> SurfaceSlice | None:
        """A slice of the loss surface, and the way here; None where it would cost too much."""
        with self._budget.spending(), keras_internals.same_random_state():
            weights = self._weights()
            if not all(np.isfinite(part).all() for part in weights):
                self._say("the weights are not finite: there is no loss surface around them")
                return None
            steps, moments = self._trajectory.until(step, weights)
            measurement = self._measurement()
            if not self._affords_slice(measurement, directions, len(steps)):
                self._say("its budget does not allow a slice of the loss surface")
                return None
            begin = time.monotonic()
            found = measurement.slice(directions, moments)
            return surface_note((step, epoch), found, steps, time.monotonic() - begin)

    def _affords_slice(
        self, measurement: Measurement, directions: Directions, moments: int
    ) -> bool:
        if not self._affords_a_trial():
            return False
        expected = measurement.slice_seconds(directions, moments)
        self._say(f"a slice of the loss surface takes about {expected:.2g} s")
        return self._budget.affords(expected)

    def _weights(self) -> Weights:
        """Copies: the next step may write over what is read."""
        held, _ = keras_internals.model_state(self._model)
        return [np.array(keras.ops.convert_to_numpy(value)) for value in held]

    def _affords_a_trial(self) -> bool:
        """What was measured before is compiled."""
        return self._expected is not None or self._budget.affords(self._trial_cost())

    def _trial_cost(self) -> float:
        return _COMPILATIONS * (self._first_step or 0.0)

    def _measurement(self) -> Measurement:
        return Measurement(self._model, self._data, self._effort, self._batch_size)

    def _estimate(self) -> float:
        cost = self._measurement().cost()
        is_dear = cost.seconds > _LONG and not self._budget.is_limited
        self._say(
            f"a measurement of the curvature takes up to {cost.num_products} Hessian-vector "
            f"products of {1000 * cost.seconds_per_product:.3g} ms: {cost.seconds:.2g} s"
            + ("; fewer examples make it faster, budget=0.05 rarer" if is_dear else "")
        )
        return cost.seconds

    def _wait(self) -> None:
        if not self._waits:
            self._waits = True
            self._say("its budget does not allow that yet: the measurement waits")

    def _measured(self, step: int, epoch: int) -> CurvatureMeasurement:
        begin = time.monotonic()
        measurement = self._measurement()
        found = measurement.spectrum()
        place, edge = measurement.place(), measurement.stability()
        return curvature_note((step, epoch), found, place, edge, time.monotonic() - begin)


def curvature_note(
    at: tuple[int, int],
    found: Spectrum,
    place: CriticalPointReport,
    edge: Stability | None,
    seconds: float,
) -> CurvatureMeasurement:
    """What was measured, as the event file has it."""
    step, epoch = at
    return CurvatureMeasurement(
        step=step,
        epoch=epoch,
        loss=place.loss,
        gradient_norm=place.gradient_norm,
        largest=found.largest,
        smallest=found.smallest,
        residuals=found.residuals,
        trace=found.trace,
        trace_error=found.trace_error,
        condition_number=found.condition_number,
        is_lower_bound=found.is_lower_bound,
        quantile=found.quantile,
        density_values=tuple(found.density.values.tolist()),
        density_weights=tuple(found.density.weights.tolist()),
        kind=place.kind,
        noise_scale=place.noise_scale,
        distance=place.distance,
        changes=dict(place.changes),
        sharpness=edge.sharpness if edge else NAN,
        threshold=edge.threshold if edge else NAN,
        learning_rate=edge.learning_rate if edge else NAN,
        largest_stable_learning_rate=edge.largest_stable_learning_rate if edge else NAN,
        num_hessian_vector_products=found.num_hessian_vector_products,
        seconds=seconds,
    )


def surface_note(
    at: tuple[int, int], found: Slice, path_steps: tuple[int, ...], seconds: float
) -> SurfaceSlice:
    """What was cut, as the event file has it."""
    step, epoch = at
    return SurfaceSlice(
        step=step,
        epoch=epoch,
        directions=found.directions,
        multiples=tuple(found.steps.tolist()),
        loss=tuple(map(tuple, found.loss.tolist())),
        path=tuple(map(tuple, found.path.tolist())),
        path_steps=path_steps,
        path_loss=tuple(found.path_loss.tolist()),
        explained_variance=found.explained_variance,
        unknown_filters=found.unknown_filters,
        seconds=seconds,
    )
