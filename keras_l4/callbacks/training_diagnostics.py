"""TrainingDiagnostics: all that can be seen of an optimizer at work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from keras_l4.callbacks.snapshotting import SnapshottingCallback
from keras_l4.observers.base import Action
from keras_l4.observers.findings import FindingsReport
from keras_l4.observers.gradient_norm import MeanGradientNorm
from keras_l4.observers.loss_scaling import SkippedSteps
from keras_l4.observers.nonfinite import NonFiniteReport
from keras_l4.observers.snapshots import MAX_BYTES, SNAPSHOT_EVERY, FlightRecorderObserver
from keras_l4.quantities import registry
from keras_l4.records.loss_scaling import LossScaleStall
from keras_l4.records.nonfinite import NonFinite
from keras_l4.rules import Finding, Rules
from keras_l4.session.options import CommonArguments


class TrainingDiagnostics(SnapshottingCallback):
    """`GradientNorms`, `NonFiniteMonitor` and `EffectiveLearningRates` in one.

    It instruments the optimizer in place for the time of `fit`, whichever it is, and leaves it as
    it was. It only watches: weights are those of a run without it, bit for bit.

    Args:
        log_dir: Event files go to `<log_dir>/diagnostics`, for TensorBoard and `keras_l4.load`;
            None writes none.
        quantities: Names to record; None for all of them.
        action: What to do about NaN and Inf, as in `NonFiniteMonitor`.
        rules: What judges the run: `"default"`; `"strict"`, in which notes are warnings; a list
            of codes; `"autotrainer"`, `"deepdiagnosis"` or `"sagemaker"`, the published cut-offs
            of these tools, for comparison; None for nothing.
        flight_recorder: Whether to write a capsule at the first non-finite number, as
            `FlightRecorder` does; needs `log_dir`.
        every: Steps between two that are looked at closely; suspicious ones always are.
        flush_every: Steps that are kept on the device before they are read; they are read after
            five seconds, at the end of an epoch and when `fit` ends, too. None for 64 and, of a
            small model, up to 1024.
        update_freq: Steps between two scalars of the same tag in TensorBoard.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not.
        by: Scalars per `"layer"` or per `"variable"`.
        optimizer: The one to record, where a model has several; None means `model.optimizer`.
        hooks: Callables that get every `StepBlock`, for a sink of your own.
        histogram_freq: Epochs between two histograms of the finite elements of gradients (a
            sample) and weights; 0 for none.
        look_at_data: Whether findings may rest on a small sample of what `fit` was given, where
            it is arrays, and on the model's answers to it.
        verbose: 0 is silent but for errors.

    Raises:
        TypeError, ValueError, NotADirectoryError, PermissionError: An argument is not as it
            should be; the message says which and how.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> blocks = []
    >>> callback = TrainingDiagnostics(hooks=[blocks.append])
    >>> history = model.fit(np.ones((8, 3)), np.ones(8), verbose=0, callbacks=[callback])
    >>> blocks[0].series("gradient_norm").values.shape
    (1, 1)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        quantities: Sequence[str] | None = None,
        action: Action = "warn",
        rules: Rules | None = "default",
        flight_recorder: bool = False,
        **options: Unpack[CommonArguments],
    ) -> None:
        self.quantities = _known(quantities)
        self.action = action
        self._report, self._skipped = NonFiniteReport(action), SkippedSteps(action)
        self._judgement = FindingsReport(rules)
        self.rules = self._judgement.rules
        observers = [MeanGradientNorm(), self._report, self._skipped, self._judgement]
        flight = self._recorder_for(log_dir) if flight_recorder else None
        super().__init__(log_dir, observers, flight, **options)

    def _recorder_for(self, log_dir: str | os.PathLike[str] | None) -> FlightRecorderObserver:
        if log_dir is None:
            raise ValueError(
                "flight_recorder=True needs a log_dir for its capsule: "
                'TrainingDiagnostics("logs/run1", flight_recorder=True).'
            )
        return FlightRecorderObserver(Path(log_dir), SNAPSHOT_EVERY, MAX_BYTES, self.say)

    @property
    def events(self) -> tuple[NonFinite, ...]:
        """NaN and Inf seen so far, in order of steps, then forward order."""
        return tuple(self._report.events)

    @property
    def stalls(self) -> tuple[LossScaleStall, ...]:
        """Where loss scaling stalled so far, in order of steps."""
        return tuple(self._skipped.stalls)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the run by now, the worst first; empty if nothing is."""
        return self._judgement.findings()


def _known(names: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(names, str):
        raise TypeError(
            f"quantities={names!r}: expected a list of names, for instance [{names!r}]."
        )
    known = [name for name in registry() if not name.startswith("_")]
    wanted = known if names is None else list(names)
    for name in wanted:
        if name not in known:
            raise ValueError(f"quantities has {name!r}: expected some of {sorted(known)}.")
    return tuple(wanted)
