"""All that a step of training starts from, on the host."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np

from keras_l4.keras_internals.models import is_built

State = Mapping[str, Sequence[np.ndarray]]
_KINDS = ("trainable", "non_trainable", "optimizer", "metrics")


def build_optimizer(model: Any) -> None:
    """Makes the slots of a model's optimizer, which the first step would make otherwise."""
    optimizer = model.optimizer
    if is_built(model) and not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)


def state_variables(model: Any) -> dict[str, list[Any]]:
    """The variables whose values decide what the next step does, by kind.

    Seed generators are among those that are not trainable.
    """
    return {
        "trainable": list(model.trainable_variables),
        "non_trainable": list(model.non_trainable_variables),
        "optimizer": list(model.optimizer.variables),
        "metrics": list(model.metrics_variables),
    }


def read_state(model: Any) -> State:
    """Copies of their values. Half precision is widened, which loses nothing."""
    held = _carried(model)
    if held is None:
        variables = state_variables(model)
        held = {kind: [v.value for v in variables[kind]] for kind in _KINDS}
    return {kind: [_array(x) for x in held[kind]] for kind in _KINDS}


def write_state(model: Any, state: State) -> None:
    """Gives the variables these values.

    Metrics that are made by the first batch start anew; the mean loss is not one of them.

    Raises:
        ValueError: The model has other variables.
    """
    build_optimizer(model)
    held = state_variables(model)
    for kind in ("trainable", "non_trainable", "optimizer"):
        _check(kind, held[kind], state[kind])
    for kind, variables in held.items():
        for variable, value in zip(variables, state[kind], strict=kind != "metrics"):
            variable.assign(value)


def _check(kind: str, variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    has, wants = ([tuple(x.shape) for x in held] for held in (variables, values))
    if has != wants:
        raise ValueError(
            f"It is the state of another model: that one has {kind} variables of the shapes "
            f"{wants}, this one {has}."
        )


@contextlib.contextmanager
def readable(model: Any) -> Iterator[None]:
    """Its variables have their values inside: while JAX trains they have none, not even a rate."""
    held = _carried(model) or {}
    variables = state_variables(model)
    pairs = [pair for kind in held for pair in zip(variables[kind], held[kind], strict=False)]
    taken = [(variable, value) for variable, value in pairs if variable._value is None]
    for variable, value in taken:
        variable._value = value
    try:
        yield
    finally:
        for variable, _ in taken:
            variable._value = None


def _carried(model: Any) -> dict[str, Sequence[Any]] | None:
    """While JAX trains, the state is not in the variables; to sync them costs as much as a step."""
    if keras.backend.backend() != "jax" or model._jax_state_synced or not model._jax_state:
        return None
    return {kind: model._jax_state[f"{kind}_variables"] for kind in _KINDS}


def _array(x: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(x))


@contextlib.contextmanager
def same_random_state() -> Iterator[None]:
    """Random numbers drawn inside, and gradients that would be tracked, leave no trace."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with _FRAMEWORKS[keras.backend.backend()]():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def random_state() -> list[np.ndarray]:
    """What the next step draws from beside the seed generators of the model: torch's generators.

    Keras' Dropout draws from torch's own unless it was given a seed.
    """
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [x.numpy() for x in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def set_random_state(state: Sequence[np.ndarray]) -> None:
    """Draws go on from there."""
    if not state:
        return
    import torch

    cpu, *others = map(torch.from_numpy, state)
    torch.set_rng_state(cpu)
    torch.cuda.set_rng_state_all(others[: torch.cuda.device_count()])


@contextlib.contextmanager
def _tensorflow() -> Iterator[None]:
    from tensorflow.python.eager import context

    # `tf.random` draws the seeds of eager operations from it, once a seed was set. It has no
    # public name.
    generator = getattr(context.context(), "_rng", random.Random())
    state = generator.getstate()
    try:
        yield
    finally:
        generator.setstate(state)


@contextlib.contextmanager
def _torch() -> Iterator[None]:
    import torch

    with torch.random.fork_rng(), torch.no_grad():
        yield


_FRAMEWORKS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "tensorflow": _tensorflow,
    "jax": contextlib.nullcontext,
    "torch": _torch,
}
