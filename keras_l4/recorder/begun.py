"""Begun: a step between its gradients and its update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_l4.recorder.consumption import Taken


@dataclass(frozen=True)
class Begun:
    """What is known of a step before its update."""

    counters: Any
    taken: Taken
    norms: Any
    suspicious: Any
    looked: Any
    weights: Callable[[], Sequence[Any]]
    slots: Callable[[], Sequence[Any]]
    clock: Any
    iterations: Any
    raw_iterations: Any
    held: Any
