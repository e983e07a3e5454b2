"""NonFiniteMonitor: where the first NaN or Inf was."""

from __future__ import annotations

import os
from typing import Unpack

from keras_l4.callbacks.base import RecordingCallback
from keras_l4.observers.base import Action
from keras_l4.observers.loss_scaling import SkippedSteps
from keras_l4.observers.nonfinite import NonFiniteReport
from keras_l4.records.loss_scaling import LossScaleStall
from keras_l4.records.nonfinite import NonFinite
from keras_l4.session.options import CommonArguments


class NonFiniteMonitor(RecordingCallback):
    """Names the step, epoch, batch and variable of NaN and Inf in gradients, and how many.

    It counts at every step, also of those inside of one execution, and also where the loss
    stays finite. `num_nonfinite`, the number of such steps, joins the `logs` of the epoch; with a
    `LossScaleOptimizer` so does `num_skipped_steps`. A step that loss scaling skipped is an event,
    too, but nothing is done about it, unless ten in a row are skipped or the scale falls below 1.

    Args:
        log_dir: Event files go to `<log_dir>/diagnostics`; None writes none.
        action: `"warn"` prints a line, `"stop"` ends `fit` as `EarlyStopping` does, `"raise"`
            raises a FloatingPointError. The latter two act at the next read-out, `flush_every`
            steps later at most; until then weights are protected only beside a `FlightRecorder`.
        **options: Those of `TrainingDiagnostics`.

    Raises:
        ValueError: `action` is no such action.

    Example:

    >>> callback = NonFiniteMonitor(action="stop", flush_every=1)
    >>> callback.events
    ()
    """

    quantities = ("gradient_norm", "nan_count", "inf_count")

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        action: Action = "warn",
        **options: Unpack[CommonArguments],
    ) -> None:
        self.action = action
        self._report, self._skipped = NonFiniteReport(action), SkippedSteps(action)
        super().__init__(log_dir, [self._report, self._skipped], **options)

    @property
    def events(self) -> tuple[NonFinite, ...]:
        """What was seen so far, in order of steps, then forward order."""
        return tuple(self._report.events)

    @property
    def stalls(self) -> tuple[LossScaleStall, ...]:
        """Where loss scaling stalled so far, in order of steps."""
        return tuple(self._skipped.stalls)
