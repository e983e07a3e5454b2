"""FlightRecorder: keeps what a replay of the steps before a NaN needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from keras_l4.callbacks.snapshotting import SnapshottingCallback
from keras_l4.observers.base import NonFiniteAction
from keras_l4.observers.nonfinite import NonFiniteReport
from keras_l4.observers.skipped_updates import MAX_SKIPS, SkippedUpdates
from keras_l4.observers.snapshots import MAX_BYTES, SNAPSHOT_EVERY, FlightRecorderObserver
from keras_l4.records.block import By
from keras_l4.session.options import Hook, StrPath, check_integer


class FlightRecorder(SnapshottingCallback):
    """Writes a capsule at the first non-finite number; `keras_l4.replay` finds its origin.

    Every `snapshot_every` steps the callback copies the training state to the host, and it buffers
    all batches since then. When a gradient, the loss, a weight, a layer's state or a slot of the
    optimizer becomes NaN or Inf, it writes both to `<log_dir>/capsule-<step>`, in open formats
    (`.npz` and JSON); also when the framework raises an error at such a number, as torch's binary
    cross-entropy does. Each `fit` writes at most one capsule, the first.

    The callback needs host memory for two training states and `max_bytes` of batches. The capsule
    contains your training data, so share it with care.

    Args:
        log_dir: Parent directory of the capsule; event files go to `<log_dir>/diagnostics`.
        snapshot_every: Number of steps between two snapshots.
        max_bytes: Maximum size of the buffered batches in memory, and in the capsule. If it does not
            suffice for `snapshot_every` steps, snapshots are taken more often.
        on_nonfinite: Reaction to a non-finite number. `"warn"`, `"stop"` and `"raise"` are as in
            `NonFiniteMonitor`. With `"stop"` and `"raise"` (also if another callback asks for them)
            the device skips that update and all that follow, so that the weights are the last finite
            ones when `fit` ends. `"skip"` skips each update with non-finite gradients, and training
            continues: weights, slots, `iterations`, states of layers and metrics stay as before
            that step; seed generators advance.
        max_skips: Maximum number of consecutive skipped steps. One more raises a FloatingPointError
            at the next read-out.
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
        TypeError, ValueError: An argument is invalid.

    Example:

    >>> callback = FlightRecorder("logs/run1", snapshot_every=50)
    >>> callback.capsule is None
    True
    """

    quantities = ("gradient_norm", "nan_count", "inf_count")

    def __init__(
        self,
        log_dir: StrPath,
        snapshot_every: int = SNAPSHOT_EVERY,
        max_bytes: int = MAX_BYTES,
        on_nonfinite: NonFiniteAction | Literal["skip"] = "warn",
        max_skips: int = MAX_SKIPS,
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
        check_integer("snapshot_every", snapshot_every, minimum=1)
        check_integer("max_bytes", max_bytes, minimum=1)
        check_integer("max_skips", max_skips, minimum=1)
        if on_nonfinite not in ("warn", "skip", "stop", "raise"):
            raise ValueError(
                f'on_nonfinite={on_nonfinite!r}: expected "warn", "skip", "stop" or "raise".'
            )
        self.on_nonfinite = on_nonfinite
        report = NonFiniteReport("warn" if on_nonfinite == "skip" else on_nonfinite)
        skipped = [SkippedUpdates(max_skips)] if on_nonfinite == "skip" else []
        self._flight_recorder = FlightRecorderObserver(
            Path(log_dir), snapshot_every, max_bytes, self.print_message
        )
        super().__init__(
            log_dir,
            # The flight recorder is first: it must write its capsule before another observer raises.
            [self._flight_recorder, report, *skipped],
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
