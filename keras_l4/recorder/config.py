"""Settings: what to record, and how much room there is for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GuardMode = Literal["off", "skip", "latch"]


@dataclass(frozen=True)
class RecorderConfig:
    """What to record, and how much room there is for it.

    Attributes:
        quantities: Names from `keras_l4.quantities.registry()`; empty for all of them.
        every: Steps between two that are looked at closely.
        flush_every: Steps between two read-outs; None for as many as there is room for.
        steps_per_execution: Steps between two occasions to read.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not.
        gradient_samples: Whether to keep a sample of each gradient, for histograms.
        xla: Whether XLA compiles the step.
        guard: Which updates are held back: none; those whose gradients are not finite; those and
            all that follow.
    """

    quantities: tuple[str, ...] = ()
    every: int = 10
    flush_every: int | None = None
    steps_per_execution: int = 1
    include: str | None = None
    exclude: str | None = None
    gradient_samples: bool = False
    xla: bool = False
    guard: GuardMode = "off"
