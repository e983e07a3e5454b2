"""Curvature: measures the curvature of the loss during `fit`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal, get_args

from keras_l4 import keras_internals
from keras_l4.callbacks.base import RecordingCallback
from keras_l4.callbacks.budget import Budget
from keras_l4.callbacks.curvature_scheduler import CurvatureScheduler
from keras_l4.circuit_breaker import CircuitBreaker
from keras_l4.curvature import CurvatureConfig, Directions
from keras_l4.curvature.sample import check_sample
from keras_l4.events.annotations import save_surface
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice
from keras_l4.records.block import By
from keras_l4.rules import Finding
from keras_l4.rules.plateau import POINT_KIND
from keras_l4.session.options import Hook, StrPath, check_integer

_MEASURING = "measuring the curvature"
_SLICING = "slicing the loss surface"


class Curvature(RecordingCallback):
    """Measures the Hessian's spectrum, the edge of stability and the kind of critical point.

    It is read-only: the trained weights are bit-for-bit identical to those of a run without it. It
    prints the cost of a measurement before the first one. Each measurement is written to the event
    file, and to TensorBoard as `curvature/largest`, `curvature/sharpness`, `curvature/threshold`,
    ...

    If the rules of a `TrainingDiagnostics` in the same `fit` find a `plateau` that was not
    measured yet, it is measured at the next step or at the end of `fit`, if the budget allows it.
    The evidence of the finding then contains the result.

    With `surface` it evaluates one slice of the loss surface, at the end of training, around the
    final weights. The slice shows the weights at the ends of up to 64 epochs. It is written to the
    event file, to TensorBoard as the image `curvature/surface`, and to
    `<log_dir>/diagnostics/surface-<step>.npz`. It takes about 500 evaluations of the loss, and host
    memory for up to 65 copies of the weights.

    Args:
        log_dir: Directory of the run. Event files go to `<log_dir>/diagnostics`; None writes none.
        x: Inputs to measure on: an array, or a structure of arrays. A fixed sample is sufficient.
        y: Targets: an array, or a structure of arrays. None if the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        every: `"epoch"`, or the number of steps between two measurements.
        budget: The largest fraction of the training time that measurements may take, such as 0.05.
            A measurement that exceeds it waits. None for no limit.
        config: Configuration of a measurement; None for the default.
        surface: Directions of the slice: `"random"`, `"hessian"` or `"pca"`, as in
            `keras_l4.curvature.surface`. `"pca"` needs two epochs. None evaluates no slice.
        flush_every: Maximum number of steps between two read-outs of the device, which also
            happen after five seconds and at the end of an epoch. None means 64, or up to 1024
            for a small model.
        update_freq: Number of steps between two points of a scalar in TensorBoard.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not recorded.
        by: Whether TensorBoard shows one scalar per `"layer"` or per `"variable"`.
        optimizer: Optimizer to record, if the model has several. None means `model.optimizer`.
        hooks: Callables that receive every `StepBlock`, for custom logging.
        histogram_freq: Number of epochs between two histograms of gradients and weights; 0
            writes none.
        look_at_data: Whether findings may use a small sample of the arrays that `fit` was given,
            and the model's predictions for it.
        verbose: 0 prints nothing. Warnings and errors are not affected.

    Raises:
        TypeError, ValueError, NotADirectoryError, PermissionError: An argument is invalid.

    Example:

    >>> import keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> callback = Curvature(None, *bowl.data(), verbose=0)
    >>> model = bowl.model("sgd")
    >>> history = model.fit(*bowl.data(), epochs=2, verbose=0, callbacks=[callback])
    >>> [round(measurement.largest, 3) for measurement in callback.measurements]
    [100.0, 100.0]
    """

    quantities = ("gradient_norm",)

    def __init__(
        self,
        log_dir: StrPath | None,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        every: Literal["epoch"] | int = "epoch",
        budget: float | None = None,
        config: CurvatureConfig | None = None,
        surface: Directions | None = None,
        flush_every: int | None = None,
        update_freq: int = 50,
        include: str | None = None,
        exclude: str | None = None,
        by: By = "layer",
        optimizer: Any = None,
        hooks: Sequence[Hook] = (),
        histogram_freq: int = 0,
        look_at_data: bool = True,
        verbose: int = 1,
    ) -> None:
        _check_arguments(every, config, surface)
        check_sample(x, y, sample_weight)
        self._every, self._directions = every, surface
        self._surface: SurfaceSlice | None = None
        self._measurements: list[CurvatureMeasurement] = []
        self._scheduler = CurvatureScheduler(
            (x, y, sample_weight), config or CurvatureConfig(), Budget(budget), self.print_message
        )
        self._breaker = CircuitBreaker()
        super().__init__(
            log_dir,
            flush_every=flush_every,
            update_freq=update_freq,
            include=include,
            exclude=exclude,
            by=by,
            optimizer=optimizer,
            hooks=hooks,
            histogram_freq=histogram_freq,
            look_at_data=look_at_data,
            verbose=verbose,
        )

    @property
    def measurements(self) -> tuple[CurvatureMeasurement, ...]:
        """Measurements of the last `fit`, in order of steps."""
        return tuple(self._measurements)

    @property
    def surface(self) -> SurfaceSlice | None:
        """The slice at the end of the last `fit`, or None."""
        return self._surface

    def set_model(self, model: Any) -> None:
        if keras_internals.is_distributed(model):
            raise ValueError(
                "Curvature measures models on one device only, and this model is distributed. "
                "Remove the callback, or call keras_l4.curvature.spectrum on a copy of the model."
            )
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self._measurements, self._surface = [], None
        self._num_steps = self._num_epochs = 0
        self._is_requested = False
        self._scheduler.begin(self._trained_model)
        self._record_weights()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._num_epochs = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(batch, logs)
        if self._num_steps:
            self._scheduler.on_step_end()
        if (self._is_due() or self._should_run_requested()) and self._session is not None:
            self._session.read_all_steps_at_batch_begin()
            self._measure()
        self._num_steps += self._trained_model.steps_per_execution

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._scheduler.on_step_end()
        self._num_epochs = epoch + 1
        if self._every == "epoch":
            self._measure()
        self._record_weights()

    def on_findings(self, findings: Sequence[Finding]) -> None:
        self._is_requested = any(
            f.code == "plateau" and POINT_KIND not in f.evidence for f in findings
        )

    def run_requested_measurements(self) -> None:
        if self._should_run_requested():
            self._measure()

    def end_training(self) -> str:
        if self._num_steps and not self._measurements and not self._breaker.is_disabled(_MEASURING):
            self.print_message(
                "the curvature was never measured: the training was too short, or too short for "
                "the budget. Increase the budget, pass fewer examples, or a cheaper config."
            )
        self._breaker.call(_SLICING, self._slice_surface)
        return super().end_training()

    def _is_due(self) -> bool:
        """Returns True if the last execution reached a multiple of `every`."""
        if self._every == "epoch" or not self._num_steps:
            return False
        previous = self._num_steps - self._trained_model.steps_per_execution
        return self._num_steps // self._every > previous // self._every

    def _should_run_requested(self) -> bool:
        """Returns True if a finding has requested a measurement, and the budget allows it."""
        return self._is_requested and self._num_steps > 0 and self._scheduler.can_afford()

    def _measure(self) -> None:
        session = self._session
        if session is None:
            return
        self._is_requested = False
        measure = functools.partial(self._scheduler.measure, session.last_step, self._num_epochs)
        measurement = self._breaker.call(_MEASURING, measure)
        if measurement is not None:
            self._measurements.append(measurement)
            session.add_annotation(measurement)

    def _record_weights(self) -> None:
        session = self._session
        if self._directions and session is not None and self._trained_model.built:
            record = functools.partial(self._scheduler.record_weights, session.last_step)
            self._breaker.call(_SLICING, record)

    def _slice_surface(self) -> None:
        session = self._session
        if self._directions is None or session is None:
            return
        self._surface = self._scheduler.slice_surface(
            session.last_step, self._num_epochs, self._directions
        )
        if self._surface is None:
            return
        session.add_annotation(self._surface)
        if session.run_dir is not None:
            save_surface(session.run_dir, self._surface)


def _check_arguments(every: Any, config: Any, surface: Any) -> None:
    """Raises a TypeError or ValueError if an argument of `Curvature` is invalid."""
    if every != "epoch":
        check_integer("every", every, minimum=1)
    if config is not None and not isinstance(config, CurvatureConfig):
        raise TypeError(
            f"config={config!r}: expected a keras_l4.curvature.CurvatureConfig, or None."
        )
    if surface is not None and surface not in get_args(Directions):
        raise ValueError(
            f'surface={surface!r}: expected "random", "hessian", "pca", or None for no slice.'
        )
