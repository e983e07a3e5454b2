"""FlightRecorder: keeps what it takes to run the steps before a NaN again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Unpack

from keras_l4.callbacks.snapshotting import SnapshottingCallback
from keras_l4.observers.base import RecorderAction
from keras_l4.observers.nonfinite import NonFiniteReport
from keras_l4.observers.skipped_updates import MAX_SKIPS, SkippedUpdates
from keras_l4.observers.snapshots import MAX_BYTES, SNAPSHOT_EVERY, FlightRecorderObserver
from keras_l4.session.options import CommonArguments, check_integer


class FlightRecorder(SnapshottingCallback):
    """Writes a capsule at the first non-finite number, from which `keras_l4.replay` runs it again.

    It keeps the state of training of every `snapshot_every`-th step on the host, with every batch
    since then. When a gradient, the loss, a weight, a layer's state or a slot of the optimizer is
    not finite, all of it goes into `<log_dir>/capsule-<step>`, in open formats: `.npz` and JSON;
    also when the framework does not finish a step for that reason, as torch's binary cross-entropy
    does not. Only the first such step of a `fit` does.

    It needs memory on the host for two states and `max_bytes` of batches.

    Args:
        log_dir: Where the capsule goes; event files go to `<log_dir>/diagnostics`.
        snapshot_every: Steps between two states that are kept.
        max_bytes: What the batches may take in memory, and the capsule's on disk; when it does not
            suffice for `snapshot_every` steps, states are kept more often.
        on_nonfinite: `"warn"`, `"stop"` or `"raise"`, as `action` of `NonFiniteMonitor`. The latter
            two hold back that update and all that follow, on the device, also if another callback
            asks for them: the weights are the last good ones when `fit` ends. `"skip"` holds back
            each update whose gradients are not finite, and goes on: weights, slots, `iterations`,
            the state of layers and metrics are as before that step; seed generators advance.
        max_skips: Steps in a row that may be skipped; one more raises a FloatingPointError at the
            next read-out.
        **options: Those of `TrainingDiagnostics`.

    Raises:
        TypeError, ValueError: An argument is not as it should be.

    Example:

    >>> callback = FlightRecorder("logs/run1", snapshot_every=50)
    >>> callback.capsule is None
    True
    """

    quantities = ("gradient_norm", "nan_count", "inf_count")

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        snapshot_every: int = SNAPSHOT_EVERY,
        max_bytes: int = MAX_BYTES,
        on_nonfinite: RecorderAction = "warn",
        max_skips: int = MAX_SKIPS,
        **options: Unpack[CommonArguments],
    ) -> None:
        check_integer("snapshot_every", snapshot_every, least=1)
        check_integer("max_bytes", max_bytes, least=1)
        check_integer("max_skips", max_skips, least=1)
        if on_nonfinite not in ("warn", "skip", "stop", "raise"):
            raise ValueError(
                f'on_nonfinite={on_nonfinite!r}: expected "warn", "skip", "stop" or "raise".'
            )
        self.action = on_nonfinite
        report = NonFiniteReport("warn" if on_nonfinite == "skip" else on_nonfinite)
        held = [SkippedUpdates(max_skips)] if on_nonfinite == "skip" else []
        flight = FlightRecorderObserver(Path(log_dir), snapshot_every, max_bytes, self.say)
        super().__init__(log_dir, [report, *held], flight, **options)
