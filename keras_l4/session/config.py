"""SessionConfig: the settings that the callbacks of one optimizer agree on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_l4.recorder.config import GuardMode, RecorderConfig
from keras_l4.records.block import By
from keras_l4.session.member import SessionMember


@dataclass(frozen=True)
class SessionConfig:
    """The merged settings of the callbacks that share a session.

    Attributes:
        recorder: Configuration of the recorder.
        run_dir: Directory of the event files, or None to write none.
        update_freq: Number of steps between two points of a scalar.
        by: Whether TensorBoard shows one scalar per `"layer"` or per `"variable"`.
        histogram_freq: Number of epochs between two histograms; 0 writes none.
    """

    recorder: RecorderConfig
    run_dir: Path | None
    update_freq: int
    by: By
    histogram_freq: int

    @classmethod
    def merge(
        cls, members: Sequence[SessionMember], *, name: str, steps_per_execution: int, xla: bool
    ) -> SessionConfig:
        """Merges the options of several callbacks.

        The smallest of their intervals and all of their quantities are used. Other options
        must be equal where they are not the default.

        Args:
            members: The callbacks.
            name: Subdirectory of `diagnostics` for the run; empty for `diagnostics` itself.
            steps_per_execution: Number of steps between two calls of the callbacks.
            xla: Whether XLA compiles the step.

        Raises:
            ValueError: The callbacks contradict each other.
        """
        options = [member.options for member in members]
        log_dir = _common("log_dir", [_absolute(o.log_dir) for o in options], None)
        histogram_freq = min((o.histogram_freq for o in options if o.histogram_freq), default=0)
        recorder = RecorderConfig(
            quantities=tuple(dict.fromkeys(q for m in members for q in m.quantities)),
            every=min(o.every for o in options),
            flush_every=min((o.flush_every for o in options if o.flush_every), default=None),
            steps_per_execution=steps_per_execution,
            include=_common("include", [o.include for o in options], None),
            exclude=_common("exclude", [o.exclude for o in options], None),
            sample_gradients=histogram_freq > 0,
            xla=xla,
            guard_mode=_guard_mode(members),
        )
        return cls(
            recorder=recorder,
            run_dir=None if log_dir is None else Path(log_dir) / "diagnostics" / name,
            update_freq=min(o.update_freq for o in options),
            by=_common("by", [o.by for o in options], "layer"),
            histogram_freq=histogram_freq,
        )


def _absolute(log_dir: str | os.PathLike[str] | None) -> str | None:
    return None if log_dir is None else os.path.abspath(log_dir)


def _common(name: str, values: Sequence[Any], default: Any) -> Any:
    """Returns the only value that is not the default, or the default."""
    chosen = list(dict.fromkeys(value for value in values if value != default))
    if len(chosen) > 1:
        raise ValueError(
            "Callbacks of one optimizer share a recorder and a writer, but they ask for "
            f"{name}={chosen[0]!r} and {name}={chosen[1]!r}. Give them the same {name}."
        )
    return chosen[0] if chosen else default


def _guard_mode(members: Sequence[SessionMember]) -> GuardMode:
    """Returns which updates the recorder skips.

    Beside a flight recorder, `"stop"` and `"raise"` also protect the weights: all updates from the
    first non-finite one on are skipped.

    Raises:
        ValueError: The callbacks contradict each other.
    """
    actions = {member.on_nonfinite for member in members}
    ending = actions & {"stop", "raise"}
    if "skip" in actions and ending:
        raise ValueError(
            'FlightRecorder(on_nonfinite="skip") continues after a non-finite step, but another '
            f'callback asks for on_nonfinite="{ending.pop()}". Pass the same on_nonfinite to both, '
            'or leave it at "warn" in the other callback.'
        )
    if "skip" in actions:
        return "skip"
    has_flight_recorder = any(member.has_flight_recorder for member in members)
    return "skip_all_after" if ending and has_flight_recorder else "off"
