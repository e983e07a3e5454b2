"""CurvatureScheduler: measures the curvature during `fit`, as often as the budget allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.callbacks.budget import Budget
from keras_l4.callbacks.weight_trajectory import Weights, WeightTrajectory
from keras_l4.curvature import (
    CriticalPointReport,
    CurvatureConfig,
    Directions,
    Slice,
    Spectrum,
    Stability,
)
from keras_l4.curvature.loss_curvature import LossCurvature
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice

# Compiling a loss, its gradient and its second derivative takes about four times as long as the
# first training step, in which the framework compiles the loss and the gradient.
_COMPILATION_IN_FIRST_STEPS = 4
# A measurement that takes longer is announced together with ways to make it cheaper.
_LONG_SECONDS = 30.0
_KERAS_DEFAULT_BATCH_SIZE = 32
NAN = float("nan")


class CurvatureScheduler:
    """Takes measurements that do not change the training.

    Args:
        data: Inputs, targets and sample weights.
        config: Configuration of a measurement.
        budget: The time that all measurements may take.
        print_message: Prints a line.
    """

    def __init__(
        self,
        data: tuple[Any, Any, Any],
        config: CurvatureConfig,
        budget: Budget,
        print_message: Callable[[str], None],
    ) -> None:
        self._data, self._config = data, config
        self._budget, self._print_message = budget, print_message

    def begin(self, model: Any) -> None:
        """Resets the scheduler at the beginning of a `fit`."""
        self._model = model
        self._trajectory = WeightTrajectory()
        batch_size = keras_internals.fit_arguments().get("batch_size")
        self._batch_size = batch_size or _KERAS_DEFAULT_BATCH_SIZE
        self._expected_seconds: float | None = None
        self._first_step_seconds: float | None = None
        self._has_announced_delay = False
        self._budget.begin()

    def on_step_end(self) -> None:
        """Measures the first step, whose duration predicts that of a compilation."""
        if self._first_step_seconds is None:
            self._first_step_seconds = self._budget.training_seconds

    def can_afford(self) -> bool:
        """Returns True if the budget allows another measurement, as far as its cost is known."""
        return self._budget.can_afford(self._expected_seconds or self._trial_seconds())

    def measure(self, step: int, epoch: int) -> CurvatureMeasurement | None:
        """Measures the curvature after a step; returns None if it exceeds the budget."""
        if not self._can_afford_trial():
            return None
        with self._budget.spend(), keras_internals.preserve_random_state():
            if self._expected_seconds is None:
                self._expected_seconds = self._estimate_seconds()
            if not self._budget.can_afford(self._expected_seconds):
                self._announce_delay()
                return None
            begin = time.monotonic()
            measurement = self._measure(step, epoch)
            self._expected_seconds = time.monotonic() - begin
            return measurement

    def record_weights(self, step: int) -> None:
        """Stores the weights after a step, for the trajectory in a slice."""
        with self._budget.spend():
            self._trajectory.record(step, self._read_weights)

    def slice_surface(self, step: int, epoch: int, directions: Directions) -> SurfaceSlice | None:
        """Evaluates a slice of the loss surface; returns None if it exceeds the budget."""
        with self._budget.spend(), keras_internals.preserve_random_state():
            weights = self._read_weights()
            if not all(np.isfinite(part).all() for part in weights):
                self._print_message(
                    "the weights are not finite: there is no loss surface to slice around them"
                )
                return None
            steps, trajectory = self._trajectory.ending_at(step, weights)
            measurement = self._measurement()
            if not self._can_afford_slice(measurement, directions, len(steps)):
                self._print_message("the budget does not allow a slice of the loss surface")
                return None
            begin = time.monotonic()
            surface = measurement.slice(directions, trajectory)
            return surface_slice(step, epoch, surface, steps, time.monotonic() - begin)

    def _can_afford_slice(
        self, measurement: LossCurvature, directions: Directions, num_points: int
    ) -> bool:
        if not self._can_afford_trial():
            return False
        seconds = measurement.expected_slice_seconds(directions, num_points)
        self._print_message(f"a slice of the loss surface takes about {seconds:.2g} s")
        return self._budget.can_afford(seconds)

    def _read_weights(self) -> Weights:
        """Returns copies, since the next step may overwrite the variables in place."""
        trainable, _ = keras_internals.variable_values(self._model)
        return [np.array(keras.ops.convert_to_numpy(value)) for value in trainable]

    def _can_afford_trial(self) -> bool:
        """Returns True if the loss is compiled already, or if compiling it is within the budget."""
        is_compiled = self._expected_seconds is not None
        return is_compiled or self._budget.can_afford(self._trial_seconds())

    def _trial_seconds(self) -> float:
        return _COMPILATION_IN_FIRST_STEPS * (self._first_step_seconds or 0.0)

    def _measurement(self) -> LossCurvature:
        return LossCurvature(self._model, self._data, self._config, self._batch_size)

    def _estimate_seconds(self) -> float:
        cost = self._measurement().expected_cost()
        is_costly = cost.seconds > _LONG_SECONDS and not self._budget.is_limited
        advice = (
            ". Pass fewer examples to make it faster, or budget=0.05 to make it rarer"
            if is_costly
            else ""
        )
        self._print_message(
            f"a measurement of the curvature takes up to {cost.num_products} Hessian-vector "
            f"products of {1000 * cost.seconds_per_product:.3g} ms: {cost.seconds:.2g} s{advice}"
        )
        return cost.seconds

    def _announce_delay(self) -> None:
        if not self._has_announced_delay:
            self._has_announced_delay = True
            self._print_message("the measurement waits until the budget allows it")

    def _measure(self, step: int, epoch: int) -> CurvatureMeasurement:
        begin = time.monotonic()
        measurement = self._measurement()
        spectrum = measurement.spectrum()
        report, stability = measurement.classify(), measurement.stability()
        seconds = time.monotonic() - begin
        return curvature_measurement(step, epoch, spectrum, report, stability, seconds)


def curvature_measurement(
    step: int,
    epoch: int,
    spectrum: Spectrum,
    report: CriticalPointReport,
    stability: Stability | None,
    seconds: float,
) -> CurvatureMeasurement:
    """Returns the results of a measurement as an annotation."""
    return CurvatureMeasurement(
        step=step,
        epoch=epoch,
        loss=report.loss,
        gradient_norm=report.gradient_norm,
        largest=spectrum.largest,
        smallest=spectrum.smallest,
        residuals=spectrum.residuals,
        trace=spectrum.trace,
        trace_error=spectrum.trace_error,
        condition_number=spectrum.condition_number,
        is_lower_bound=spectrum.is_lower_bound,
        quantile=spectrum.quantile,
        kind=report.kind,
        noise_scale=report.noise_scale,
        distance=report.distance,
        changes=dict(report.changes),
        sharpness=stability.sharpness if stability else NAN,
        threshold=stability.threshold if stability else NAN,
        learning_rate=stability.learning_rate if stability else NAN,
        largest_stable_learning_rate=(stability.largest_stable_learning_rate if stability else NAN),
        num_hessian_vector_products=spectrum.num_hessian_vector_products,
        seconds=seconds,
    )


def surface_slice(
    step: int, epoch: int, surface: Slice, path_steps: tuple[int, ...], seconds: float
) -> SurfaceSlice:
    """Returns a slice of the loss surface as an annotation."""
    return SurfaceSlice(
        step=step,
        epoch=epoch,
        directions=surface.directions,
        multiples=tuple(surface.multiples.tolist()),
        loss=tuple(map(tuple, surface.loss.tolist())),
        path=tuple(map(tuple, surface.path.tolist())),
        path_steps=path_steps,
        path_loss=tuple(surface.path_loss.tolist()),
        explained_variance=surface.explained_variance,
        unknown_filters=surface.unknown_filters,
        seconds=seconds,
    )
