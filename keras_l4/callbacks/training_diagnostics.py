"""TrainingDiagnostics: everything that can be recorded of an optimizer, with findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_l4.callbacks.snapshotting import SnapshottingCallback
from keras_l4.observers import (
    FindingsReport,
    FlightRecorderObserver,
    LossScalingReport,
    MeanGradientNorm,
    NonFiniteReport,
)
from keras_l4.observers.base import NonFiniteAction
from keras_l4.observers.snapshots import MAX_BYTES, SNAPSHOT_EVERY
from keras_l4.quantities import registry
from keras_l4.records.block import By
from keras_l4.records.loss_scaling import LossScaleStall
from keras_l4.records.nonfinite import NonFinite
from keras_l4.rules import Finding, Rules
from keras_l4.session.options import Hook, StrPath


class TrainingDiagnostics(SnapshottingCallback):
    """Combines `GradientNorms`, `NonFiniteMonitor` and `EffectiveLearningRates`, and adds findings.

    It instruments the optimizer in place during `fit` and restores it afterwards. It is read-only:
    the trained weights are bit-for-bit identical to those of a run without it.

    Args:
        log_dir: Directory of the run: event files for TensorBoard and `keras_l4.load` go to
            `<log_dir>/diagnostics`. None writes none.
        quantities: Names of the quantities to record. None records all of them.
        on_nonfinite: Reaction to NaN and Inf, as in `NonFiniteMonitor`.
        rules: The rules that evaluate the run: `"default"`; `"strict"`, which reports notes as
            warnings; a list of codes; `"autotrainer"`, `"deepdiagnosis"` or `"sagemaker"`, the
            published thresholds of these tools, for comparison. None evaluates no rules.
        flight_recorder: Whether to write a capsule at the first non-finite value, as
            `FlightRecorder` does. Requires `log_dir`.
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
        log_dir: StrPath | None = None,
        quantities: Sequence[str] | None = None,
        on_nonfinite: NonFiniteAction = "warn",
        rules: Rules | None = "default",
        flight_recorder: bool = False,
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
        self.quantities = _checked_quantities(quantities)
        self.on_nonfinite = on_nonfinite
        self._nonfinite = NonFiniteReport(on_nonfinite)
        self._loss_scaling = LossScalingReport(on_nonfinite)
        self._findings = FindingsReport(rules)
        self.rules = self._findings.rules
        self._flight_recorder = self._make_flight_recorder(log_dir) if flight_recorder else None
        observers = [MeanGradientNorm(), self._nonfinite, self._loss_scaling, self._findings]
        super().__init__(
            log_dir,
            # The flight recorder is first, so that it writes its capsule before another one raises.
            [*filter(None, [self._flight_recorder]), *observers],
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

    def _make_flight_recorder(self, log_dir: StrPath | None) -> FlightRecorderObserver:
        if log_dir is None:
            raise ValueError(
                "flight_recorder=True needs a log_dir for its capsule: "
                'TrainingDiagnostics("logs/run1", flight_recorder=True).'
            )
        return FlightRecorderObserver(Path(log_dir), SNAPSHOT_EVERY, MAX_BYTES, self.print_message)

    @property
    def events(self) -> tuple[NonFinite, ...]:
        """NaN and Inf so far, in order of steps, then in forward order."""
        return tuple(self._nonfinite.events)

    @property
    def stalls(self) -> tuple[LossScaleStall, ...]:
        """Stalls of loss scaling so far, in order of steps."""
        return tuple(self._loss_scaling.stalls)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings so far, the most severe first."""
        return self._findings.findings()


def _checked_quantities(names: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(names, str):
        raise TypeError(
            f"quantities={names!r}: expected a list of names, for instance [{names!r}]."
        )
    public = [name for name in registry if not name.startswith("_")]
    chosen = public if names is None else list(names)
    for name in chosen:
        if name not in public:
            raise ValueError(f"quantities has {name!r}: expected some of {sorted(public)}.")
    return tuple(chosen)
