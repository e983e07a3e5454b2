"""Step state on torch: the step runs eagerly and updates the ring buffers in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras_l4.backend.common.captured_state import (
    STATE_IS_FUNCTIONAL,
    adopt_from_optimizer_variables,
    create_weight_buffer,
    expose_in_optimizer_variables,
    exposed_rings,
    thread_rings_through,
)

__all__ = [
    "STATE_IS_FUNCTIONAL",
    "adopt_from_optimizer_variables",
    "create_weight_buffer",
    "discarded_trace_detector",
    "expose_in_optimizer_variables",
    "exposed_rings",
    "thread_rings_through",
]


def discarded_trace_detector(optimizers: Sequence[Any]) -> Callable[[], bool]:
    # torch does not trace the step.
    return lambda: False
