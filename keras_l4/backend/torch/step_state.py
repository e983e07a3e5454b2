"""torch: the step runs eagerly and updates the ring buffers in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras_l4.backend.common.captured_state import (
    STATE_IS_FUNCTIONAL,
    adopt_from_optimizer_variables,
    expose_in_optimizer_variables,
    exposed_rings,
    new_weight_buffer,
    thread_through_step,
)

__all__ = [
    "STATE_IS_FUNCTIONAL",
    "adopt_from_optimizer_variables",
    "discarded_trace_check",
    "expose_in_optimizer_variables",
    "exposed_rings",
    "new_weight_buffer",
    "thread_through_step",
]


def discarded_trace_check(optimizers: Sequence[Any]) -> Callable[[], bool]:
    """Returns a function that returns False: torch does not trace the step."""
    return lambda: False
