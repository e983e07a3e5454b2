"""JAX: state is passed through the jitted step, at the tail of the optimizer's variables.

It is there only while the step runs, so that whatever saves a model never meets it.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import keras

from keras_l4.backend.jax.weight_buffer import new_weight_buffer as new_weight_buffer

STATE_IS_FUNCTIONAL = True
"""Whether the rings travel with the optimizer's state through a step function."""
Ring: TypeAlias = keras.Variable
_exposed: contextvars.ContextVar[tuple[Ring, ...]] = contextvars.ContextVar("rings", default=())


@contextlib.contextmanager
def expose_in_optimizer_variables(rings: Sequence[Ring]) -> Iterator[None]:
    """Where the step function is made or run, `optimizer.variables` ends with the rings."""
    token = _exposed.set((*_exposed.get(), *rings))
    try:
        yield
    finally:
        _exposed.reset(token)


def adopt_from_optimizer_variables(
    rings: Sequence[Ring], optimizer_variables: Sequence[Any]
) -> None:
    """Takes the rings from the end of the state that a loop carries, if it is given."""
    if len(optimizer_variables):
        for ring, array in zip(rings, optimizer_variables[-len(rings) :], strict=True):
            ring._value = array


def exposed_rings(rings: Sequence[Ring]) -> list[Ring]:
    """The rings that `optimizer.variables` shows at this moment, in this thread."""
    exposed = {id(ring) for ring in _exposed.get()}
    return [ring for ring in rings if id(ring) in exposed]


def thread_through_step(
    step_function: Callable[..., Any], rings: Callable[[], Sequence[Ring]]
) -> Any:
    """The step function that takes the rings along."""

    # `value` and `assign` look for scopes and casts, at every step. Keras' own trainer sets `_value`.
    def with_rings(state: Sequence[Any], iterator: Any) -> tuple[Any, Any]:
        trainable, non_trainable, optimizer, metrics = state
        held = rings()
        with expose_in_optimizer_variables(held):
            carried = [*optimizer, *(ring._value for ring in held)]
            logs, state = step_function((trainable, non_trainable, carried, metrics), iterator)
        trainable, non_trainable, carried, metrics = state
        for ring, array in zip(held, carried[len(optimizer) :], strict=True):
            ring._value = array
        return logs, (trainable, non_trainable, carried[: len(optimizer)], metrics)

    return with_rings


def discarded_trace_check(optimizers: Sequence[Any]) -> Callable[[], bool]:
    """To be called where `optimizer` was built: tells later whether this is still a draft."""
    return lambda: False
