"""The recorder's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

GuardMode: TypeAlias = Literal["off", "skip", "skip_all_after"]


@dataclass(frozen=True)
class RecorderConfig:
    """What is recorded, and how often it is read.

    Attributes:
        quantities: Names from `keras_l4.quantities.registry`; empty for all of them.
        every: Steps between two sampled steps.
        flush_every: Steps between two reads of the ring buffers; None to choose it by the size of
            a row.
        steps_per_execution: Steps between two opportunities to read, as in `model.compile`.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not recorded.
        sample_gradients: True to record a sample of each gradient, for histograms.
        xla: True if XLA compiles the step.
        guard_mode: Which updates are skipped. `"off"`: none. `"skip"`: those with gradients that
            are not finite. `"skip_all_after"`: the first of those and all that follow.
    """

    quantities: tuple[str, ...] = ()
    every: int = 10
    flush_every: int | None = None
    steps_per_execution: int = 1
    include: str | None = None
    exclude: str | None = None
    sample_gradients: bool = False
    xla: bool = False
    guard_mode: GuardMode = "off"
