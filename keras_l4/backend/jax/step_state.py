"""Step state on JAX: arguments and results of the jitted step function.

The ring buffers are at the tail of `optimizer.variables`, and only while the step is traced or runs.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_l4.backend.interface import Ring, Tensor
from keras_l4.backend.jax.weight_buffer import create_weight_buffer
from keras_l4.keras_internals.variables import raw_value, set_raw_value

__all__ = [
    "STATE_IS_FUNCTIONAL",
    "adopt_from_optimizer_variables",
    "create_weight_buffer",
    "discarded_trace_detector",
    "expose_in_optimizer_variables",
    "exposed_rings",
    "thread_rings_through",
]

STATE_IS_FUNCTIONAL = True
_exposed_rings: contextvars.ContextVar[tuple[Ring, ...]] = contextvars.ContextVar(
    "exposed_rings", default=()
)


@contextlib.contextmanager
def expose_in_optimizer_variables(rings: Sequence[Ring]) -> Iterator[None]:
    token = _exposed_rings.set((*_exposed_rings.get(), *rings))
    try:
        yield
    finally:
        _exposed_rings.reset(token)


def adopt_from_optimizer_variables(
    rings: Sequence[Ring], optimizer_variables: Sequence[Tensor]
) -> None:
    if len(optimizer_variables):
        for ring, array in zip(rings, optimizer_variables[-len(rings) :], strict=True):
            set_raw_value(ring, array)


def exposed_rings(rings: Sequence[Ring]) -> list[Ring]:
    exposed_ids = {id(ring) for ring in _exposed_rings.get()}
    return [ring for ring in rings if id(ring) in exposed_ids]


def thread_rings_through(
    step_function: Callable[..., Any], get_rings: Callable[[], Sequence[Ring]]
) -> Callable[..., Any]:
    def step_with_rings(state: Sequence[Any], iterator: Any) -> tuple[Any, Any]:
        trainable, non_trainable, optimizer, metrics = state
        rings = get_rings()
        with expose_in_optimizer_variables(rings):
            extended = [*optimizer, *map(raw_value, rings)]
            logs, state = step_function((trainable, non_trainable, extended, metrics), iterator)
        trainable, non_trainable, extended, metrics = state
        for ring, array in zip(rings, extended[len(optimizer) :], strict=True):
            set_raw_value(ring, array)
        return logs, (trainable, non_trainable, extended[: len(optimizer)], metrics)

    return step_with_rings


def discarded_trace_detector(optimizers: Sequence[Any]) -> Callable[[], bool]:
    # Keras creates the optimizer's variables before JAX traces the step.
    return lambda: False
