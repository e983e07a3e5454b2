"""Plan: what several callbacks on one optimizer agree on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_l4.recorder.config import GuardMode, RecorderConfig
from keras_l4.records.block import By
from keras_l4.session.options import Options

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


@dataclass(frozen=True)
class SessionConfig:
    """The common settings of a session.

    Attributes:
        run_dir: Folder of the event files, or None.
        every, flush_every, update_freq: The smallest that was asked for; None where nobody said
            how often to read.
        include, exclude, by: What all callbacks that say something about it say.
        histogram_freq: Epochs between histograms, 0 for none.
        steps_per_execution: Steps between two calls of the callbacks.
        xla: Whether XLA compiles the step.
    """

    run_dir: Path | None
    every: int
    flush_every: int | None
    update_freq: int
    include: str | None
    exclude: str | None
    by: By
    histogram_freq: int
    steps_per_execution: int
    xla: bool

    @classmethod
    def of(
        cls, options: Sequence[Options], *, name: str, steps_per_execution: int, xla: bool
    ) -> SessionConfig:
        """What these options have in common.

        Args:
            options: Those of the callbacks.
            name: Folder of the run in `diagnostics`; empty for that folder itself.
            steps_per_execution: Steps between two calls of the callbacks.
            xla: Whether XLA compiles the step.

        Raises:
            ValueError: The callbacks contradict each other.
        """
        log_dir = _agreed("log_dir", [_absolute(o.log_dir) for o in options], None)
        histogram_freqs = [o.histogram_freq for o in options if o.histogram_freq]
        return cls(
            run_dir=None if log_dir is None else Path(log_dir) / "diagnostics" / name,
            every=min(o.every for o in options),
            flush_every=min((o.flush_every for o in options if o.flush_every), default=None),
            update_freq=min(o.update_freq for o in options),
            include=_agreed("include", [o.include for o in options], None),
            exclude=_agreed("exclude", [o.exclude for o in options], None),
            by=_agreed("by", [o.by for o in options], "layer"),
            histogram_freq=min(histogram_freqs, default=0),
            steps_per_execution=steps_per_execution,
            xla=xla,
        )

    def settings(self, quantities: tuple[str, ...], guard: GuardMode) -> RecorderConfig:
        """What the recorder is asked for."""
        return RecorderConfig(
            quantities=quantities,
            every=self.every,
            flush_every=self.flush_every,
            steps_per_execution=self.steps_per_execution,
            include=self.include,
            exclude=self.exclude,
            gradient_samples=self.histogram_freq > 0,
            xla=self.xla,
            guard=guard,
        )


def _absolute(log_dir: str | os.PathLike[str] | None) -> str | None:
    return None if log_dir is None else os.path.abspath(log_dir)


def _agreed(name: str, values: Sequence[Any], default: Any) -> Any:
    said = list(dict.fromkeys(v for v in values if v != default))
    if len(said) > 1:
        raise ValueError(
            f"Callbacks of one optimizer share a recorder and a writer, but they ask for "
            f"{name}={said[0]!r} and {name}={said[1]!r}. Give them the same {name}."
        )
    return said[0] if said else default


def guard_mode(members: Sequence[RecordingCallback]) -> GuardMode:
    """What `members` ask for: `"stop"` and `"raise"` protect the weights beside a flight recorder.

    Raises:
        ValueError: They contradict each other.
    """
    actions = {member.action for member in members}
    ends = actions & {"stop", "raise"}
    if "skip" in actions and ends:
        raise ValueError(
            'FlightRecorder(on_nonfinite="skip") goes on after a step that is not finite, but '
            f'another callback asks for action="{ends.pop()}". Give them the same aim.'
        )
    if "skip" in actions:
        return "skip"
    return "latch" if ends and any(member.keeps_steps for member in members) else "off"
