"""Settings: what to record, and how much room there is for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GuardMode = Literal["off", "skip", "latch"]


@dataclass(frozen=True)
class Settings:
    """What to record, and how much room there is for it.

    Attributes:
        quantities: Names from `keras_l4.quantities.registry()`; empty for all of them.
        every: Steps between two that are looked at closely.
        capacity: Steps that the ring holds.
        sample_capacity: Closely looked at steps of which the ring holds samples.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not.
        gradient_samples: Whether to keep a sample of each gradient, for histograms.
        xla: Whether XLA compiles the step.
        guard: Which updates are held back: none; those whose gradients are not finite; those and
            all that follow.
    """

    quantities: tuple[str, ...] = ()
    every: int = 10
    capacity: int = 128
    sample_capacity: int = 1
    include: str | None = None
    exclude: str | None = None
    gradient_samples: bool = False
    xla: bool = False
    guard: GuardMode = "off"
