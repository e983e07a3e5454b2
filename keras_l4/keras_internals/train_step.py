"""Overrides `model.train_step`; restores layer and metric state after a skipped update."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from keras_l4.keras_internals.overrides import override_on_instance

GuardStates: TypeAlias = Callable[[], Sequence[keras.Variable]]
_RESET_SKIPPED = np.array([0, 1], "int32")


class TrainStepOverride:
    """Overrides `model.train_step` until `restore` is called.

    Args:
        model: The model.
        step: The replacement, with the same arguments.
    """

    def __init__(self, model: Any, step: Callable[..., Any]) -> None:
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(override_on_instance(model, train_step=step))

    def restore(self) -> None:
        """Restores the original train step."""
        self._stack.close()


@contextlib.contextmanager
def with_fresh_trace(model: Any) -> Iterator[None]:
    """Makes Keras trace the train step again for steps inside the context.

    Use it after a change of the model or its optimizer that an existing trace does not contain.
    """
    train_step = model.train_step
    # A new function object: JAX caches traces by function, and a bound method compares equal to
    # itself, so that the old trace would be used again.
    step = override_on_instance(model, train_step=lambda *arguments: train_step(*arguments))
    model.train_function = None
    try:
        with step:
            yield
    finally:
        model.train_function = None


def restore_skipped_state(
    model: Any, guard_states: GuardStates, cond: Callable[..., Any], is_functional: bool
) -> Callable[..., Any]:
    """Wraps `model.train_step` so that a skipped update changes neither layers nor metrics.

    The statistics of BatchNormalization and the metrics would otherwise take in the non-finite
    batch. Seed generators advance nevertheless, so that the next step draws other numbers.

    Args:
        model: The model.
        guard_states: Returns the states of the update guards of its optimizers, `int[2]`. The first
            element is positive if an update was skipped since this train step began.
        cond: Evaluates one of two functions, by a flag on the device.
        is_functional: True if state is passed through the step (JAX) instead of being assigned.

    Returns:
        A function with the arguments of `model.train_step`.
    """
    train_step = model.train_step
    run_guarded = _run_functional if is_functional else _run_stateful

    def guarded_step(*arguments: Any) -> Any:
        states = guard_states()
        # The guards do not exist yet in the first step of a model that this step builds.
        if not states:
            return train_step(*arguments)
        return run_guarded(model, train_step, states, cond, *arguments)

    return guarded_step


def _run_stateful(model: Any, train_step: Any, states: Sequence[Any], cond: Any, data: Any) -> Any:
    for state in states:
        state.assign(state * _RESET_SKIPPED)
    variables = [*model.non_trainable_weights, *model.metrics_variables]
    before = [ops.copy(v) for v in variables]
    logs = train_step(data)
    is_skipped = _is_skipped([ops.convert_to_tensor(state) for state in states])
    after = [ops.convert_to_tensor(v) for v in variables]
    selected = _select(cond, is_skipped, before, after)
    for variable, value in zip(variables, selected, strict=True):
        variable.assign(value)
    return _with_current_metrics(model, logs)


def _run_functional(
    model: Any, train_step: Any, states: Sequence[Any], cond: Any, state: Any, data: Any
) -> tuple[Any, Any]:
    before, optimizer, metrics_before = list(state[1]), list(state[2]), list(state[3])
    guard_ids = {id(guard) for guard in states}
    positions = [i for i, v in enumerate(model.optimizer.variables) if id(v) in guard_ids]
    for position in positions:
        optimizer[position] = optimizer[position] * _RESET_SKIPPED
    logs, after = train_step((state[0], before, optimizer, metrics_before), data)
    trainable, non_trainable, optimizer, metrics = after
    is_skipped = _is_skipped([optimizer[position] for position in positions])
    before = _with_new_seeds(model, before, non_trainable)
    non_trainable = _select(cond, is_skipped, before, non_trainable)
    metrics = _select(cond, is_skipped, metrics_before, metrics)
    with keras.StatelessScope(list(zip(model.metrics_variables, metrics, strict=True))):
        logs = _with_current_metrics(model, logs)
    return logs, (trainable, non_trainable, optimizer, metrics)


def _with_new_seeds(model: Any, before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """Returns `before`, with the states of seed generators from `after`."""
    # Keras lists seed states among the non-trainable variables, but not among the weights.
    weights = {id(v) for v in model.non_trainable_weights}
    triples = zip(model.non_trainable_variables, before, after, strict=True)
    return [old if id(v) in weights else new for v, old, new in triples]


def _is_skipped(states: Sequence[Any]) -> Any:
    return ops.any(ops.stack([state[0] > 0 for state in states]))


def _select(
    cond: Any, is_skipped: Any, before: Sequence[Any], after: Sequence[Any]
) -> Sequence[Any]:
    # Not `ops.where`: XLA would fuse it with the computation of the state, which then rounds
    # differently, and training would not be bit-for-bit the same as without the guard.
    return cond(is_skipped, lambda: list(before), lambda: list(after)) if before else before


def _with_current_metrics(model: Any, logs: Any) -> Any:
    """Returns the logs with the metrics that they contain read again."""
    metrics = model.get_metrics_result()
    return logs | {name: metrics[name] for name in logs if name in metrics}
