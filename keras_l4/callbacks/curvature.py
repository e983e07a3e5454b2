"""Curvature: measures the curvature of the loss while a model trains."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any, Literal, Unpack, get_args

from keras_l4 import keras_internals
from keras_l4.callbacks.base import RecordingCallback
from keras_l4.callbacks.budget import Budget
from keras_l4.callbacks.curvature_scheduler import CurvatureScheduler
from keras_l4.curvature import Directions, Effort
from keras_l4.curvature._sample import check_sample
from keras_l4.events.surface_file import save_surface
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice
from keras_l4.rules import Finding
from keras_l4.rules._certificate import PLACE
from keras_l4.session.circuit_breaker import CircuitBreaker
from keras_l4.session.options import FitArguments, check_integer

_MEASURING = "measuring the curvature"
_CUTTING = "cutting through the loss surface"


class Curvature(RecordingCallback):
    """Measures the Hessian's spectrum, the edge of stability and the kind of place, during `fit`.

    It does not change the training: weights are bit for bit those of a run without it. What a
    measurement costs is printed before the first one. Each goes into the event file, and into
    TensorBoard as `curvature/largest`, `curvature/sharpness`, `curvature/threshold`, ...

    When the rules of a `TrainingDiagnostics` beside it find a `plateau` that was not measured yet, it
    measures at the next step, or at the end of `fit`, within its budget; the finding then has
    what it found in its evidence.

    With `surface` it cuts through the loss surface once, as training ends, around the weights as
    they are then, and marks where they were at the ends of epochs, at up to 64 of them. The slice
    goes into the event file, into TensorBoard as the image `curvature/surface`, and into
    `<log_dir>/diagnostics/surface-<step>.npz`. It takes about 500 evaluations of the loss, and
    on the host up to 65 copies of the weights.

    Args:
        log_dir: Event files go to `<log_dir>/diagnostics`; None writes none.
        x: Inputs to measure on: an array, or a structure of them. A fixed sample will do.
        y: Targets, likewise; None where the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        every: `"epoch"`, or a number of steps between two measurements.
        budget: The largest share of the training time that measurements may take, such as 0.05;
            one that would take more waits. None for no limit.
        effort: What a measurement may take.
        surface: Directions of the slice: `"random"`, `"hessian"` or `"pca"`, as in
            `keras_l4.curvature.surface`; `"pca"` needs two epochs. None for no slice.
        **options: Those of `TrainingDiagnostics` that all callbacks have.

    Raises:
        TypeError, ValueError: An argument is not as it should be, or the model is distributed.

    Example:

    >>> import keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> callback = Curvature(None, *bowl.data(), verbose=0)
    >>> model = bowl.model("sgd")
    >>> history = model.fit(*bowl.data(), epochs=2, verbose=0, callbacks=[callback])
    >>> [round(note.largest, 3) for note in callback.measurements]
    [100.0, 100.0]
    """

    quantities = ("gradient_norm",)

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        every: Literal["epoch"] | int = "epoch",
        budget: float | None = None,
        effort: Effort | None = None,
        surface: Directions | None = None,
        **options: Unpack[FitArguments],
    ) -> None:
        check_curvature_arguments(every, effort, surface)
        check_sample(x, y, sample_weight)
        self._every, self._directions = every, surface
        self._surface: SurfaceSlice | None = None
        self._measurements: list[CurvatureMeasurement] = []
        data = (x, y, sample_weight)
        self._surveyor = CurvatureScheduler(data, effort or Effort(), Budget(budget), self.say)
        self._fuse = CircuitBreaker()
        super().__init__(log_dir, [], **options)

    @property
    def measurements(self) -> tuple[CurvatureMeasurement, ...]:
        """Those of the last `fit`, in order."""
        return tuple(self._measurements)

    @property
    def surface(self) -> SurfaceSlice | None:
        """The slice that the last `fit` ended with, if there is one."""
        return self._surface

    def set_model(self, model: Any) -> None:
        if keras_internals.is_distributed(model):
            raise ValueError(
                "Curvature measures models on one device only, and this one is distributed. Leave "
                "the callback out, or use keras_l4.curvature.spectrum on a copy of the model."
            )
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self._measurements = []
        self._surface = None
        self._num_steps = self._epoch = 0
        self._is_asked = False
        self._surveyor.begin(self._model)
        self._remember()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_begin(batch, logs)
        if self._num_steps:
            self._surveyor.note_step()
        if (self._is_due() or self._may_answer()) and self._session is not None:
            self._session.catch_up()
            self._measure(self._epoch)
        self._num_steps += self._model.steps_per_execution

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._surveyor.note_step()
        if self._every == "epoch":
            self._measure(epoch + 1)
        self._epoch = epoch + 1
        self._remember()

    def hear(self, findings: Sequence[Finding]) -> None:
        self._is_asked = any(f.code == "plateau" and PLACE not in f.evidence for f in findings)

    def answer(self) -> None:
        if self._may_answer():
            self._measure(self._epoch)

    def end_training(self) -> str:
        if self._num_steps and not self._measurements and not self._fuse.is_off(_MEASURING):
            self.say(
                "the curvature was never measured: the training was too short for that, or for its "
                "budget. Allow more, or give it fewer rows or a smaller effort."
            )
        self._fuse.attempt(_CUTTING, self._cut)
        return super().end_training()

    def _is_due(self) -> bool:
        """Whether the steps of the last execution reached a multiple of `every`."""
        if self._every == "epoch" or not self._num_steps:
            return False
        before = self._num_steps - self._model.steps_per_execution
        return self._num_steps // self._every > before // self._every

    def _may_answer(self) -> bool:
        """Whether a plateau waits to be measured, and the budget allows it."""
        return self._is_asked and self._num_steps > 0 and self._surveyor.may_measure()

    def _measure(self, epoch: int) -> None:
        session = self._session
        if session is None:
            return
        self._is_asked = False
        measure = functools.partial(self._surveyor.measure, session.last_step, epoch)
        note = self._fuse.attempt(_MEASURING, measure)
        if note is not None:
            self._measurements.append(note)
            session.take_note(note)

    def _remember(self) -> None:
        session = self._session
        if self._directions and session is not None and self._model.built:
            remember = functools.partial(self._surveyor.remember, session.last_step)
            self._fuse.attempt(_CUTTING, remember)

    def _cut(self) -> None:
        session = self._session
        if self._directions is None or session is None:
            return
        note = self._surveyor.cut(session.last_step, self._epoch, self._directions)
        if note is None:
            return
        self._surface = note
        session.take_note(note)
        if session.run_dir is not None:
            save_surface(session.run_dir, note)


def check_curvature_arguments(every: Any, effort: Any, surface: Any) -> None:
    """Raises a TypeError or ValueError where one is not as it should be."""
    if every != "epoch":
        check_integer("every", every, least=1)
    if effort is not None and not isinstance(effort, Effort):
        raise TypeError(f"effort={effort!r}: expected a keras_l4.curvature.Effort, or None.")
    if surface is not None and surface not in get_args(Directions):
        raise ValueError(
            f'surface={surface!r}: expected "random", "hessian", "pca", or None for no slice.'
        )
