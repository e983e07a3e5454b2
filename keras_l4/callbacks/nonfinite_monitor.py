"""NonFiniteMonitor: finds the first NaN or Inf in the gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_l4.callbacks.base import RecordingCallback
from keras_l4.observers import LossScalingReport, NonFiniteReport
from keras_l4.observers.base import NonFiniteAction
from keras_l4.records.block import By
from keras_l4.records.loss_scaling import LossScaleStall
from keras_l4.records.nonfinite import NonFinite
from keras_l4.session.options import Hook, StrPath


class NonFiniteMonitor(RecordingCallback):
    """Reports step, epoch, batch and variable of NaN and Inf in gradients, and counts them.

    It checks every step, including those inside one execution (`steps_per_execution`), and finds
    NaN and Inf even if the loss stays finite. It adds `num_nonfinite`, the number of such steps, to
    the `logs` of each epoch; with a `LossScaleOptimizer` also `num_skipped_steps`. A step that loss
    scaling skips is an event, too, but triggers `on_nonfinite` only if ten steps in a row are
    skipped or the loss scale falls below 1.

    Args:
        log_dir: Directory of the run. Event files go to `<log_dir>/diagnostics`; None writes none.
        on_nonfinite: `"warn"` prints a line, `"stop"` ends `fit` as `EarlyStopping` does, `"raise"`
            raises a FloatingPointError. `"stop"` and `"raise"` take effect at the next read-out, at
            most `flush_every` steps later; only a `FlightRecorder` protects the weights until then.
        every: Number of steps between two sampled steps, at which the costlier quantities are
            recorded, too. Suspicious steps are always sampled.
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

    >>> callback = NonFiniteMonitor(on_nonfinite="stop", flush_every=1)
    >>> callback.events
    ()
    """

    quantities = ("gradient_norm", "nan_count", "inf_count")

    def __init__(
        self,
        log_dir: StrPath | None = None,
        on_nonfinite: NonFiniteAction = "warn",
        *,
        every: int = 10,
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
        self.on_nonfinite = on_nonfinite
        self._nonfinite = NonFiniteReport(on_nonfinite)
        self._loss_scaling = LossScalingReport(on_nonfinite)
        super().__init__(
            log_dir,
            [self._nonfinite, self._loss_scaling],
            every=every,
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
    def events(self) -> tuple[NonFinite, ...]:
        """NaN and Inf so far, in order of steps, then in forward order."""
        return tuple(self._nonfinite.events)

    @property
    def stalls(self) -> tuple[LossScaleStall, ...]:
        """Stalls of loss scaling so far, in order of steps."""
        return tuple(self._loss_scaling.stalls)
