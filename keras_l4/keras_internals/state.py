"""Reads and writes, on the host, everything that determines a training step."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4.keras_internals.models import is_built
from keras_l4.keras_internals.variables import raw_value, set_raw_value

TrainingState: TypeAlias = Mapping[str, Sequence[np.ndarray]]
"""Values of variables by kind: "trainable", "non_trainable", "optimizer", "metrics"."""
_KINDS = ("trainable", "non_trainable", "optimizer", "metrics")


def build_optimizer(model: Any) -> None:
    """Creates the slots of a model's optimizer, as the first step would."""
    optimizer = model.optimizer
    if is_built(model) and not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)


def state_variables(model: Any) -> dict[str, list[Any]]:
    """Returns the variables whose values determine the next step, by kind.

    The states of seed generators are among the non-trainable ones.
    """
    return {
        "trainable": list(model.trainable_variables),
        "non_trainable": list(model.non_trainable_variables),
        "optimizer": list(model.optimizer.variables),
        "metrics": list(model.metrics_variables),
    }


def read_state(model: Any) -> TrainingState:
    """Copies the values of the `state_variables` to the host.

    Half precision is widened to float32, which is exact.
    """
    values: Mapping[str, Sequence[Any]] | None = _functional_state(model)
    if values is None:
        variables = state_variables(model)
        values = {kind: [v.value for v in variables[kind]] for kind in _KINDS}
    return {kind: [_copy_to_host(x) for x in values[kind]] for kind in _KINDS}


def write_state(model: Any, state: TrainingState) -> None:
    """Assigns a state to the `state_variables`.

    Metrics that the first batch creates do not exist yet and start from zero. The mean loss is not
    among them.

    Raises:
        ValueError: The variables of the model have other shapes.
    """
    build_optimizer(model)
    variables_by_kind = state_variables(model)
    for kind in ("trainable", "non_trainable", "optimizer"):
        _check_shapes(kind, variables_by_kind[kind], state[kind])
    for kind, variables in variables_by_kind.items():
        for variable, value in zip(variables, state[kind], strict=kind != "metrics"):
            variable.assign(value)


def _check_shapes(kind: str, variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    shapes, expected = ([tuple(x.shape) for x in arrays] for arrays in (variables, values))
    if shapes != expected:
        raise ValueError(
            f"The state belongs to another model: its {kind} variables have the shapes {expected}, "
            f"those of this model {shapes}. Build the model as it was when the state was recorded."
        )


@contextlib.contextmanager
def with_variable_values(model: Any) -> Iterator[None]:
    """Makes the variables readable inside the context, for instance the learning rate.

    While JAX trains, the variables have no arrays: those are donated to the step.
    """
    state = _functional_state(model) or {}
    variables = state_variables(model)
    pairs = [pair for kind in state for pair in zip(variables[kind], state[kind], strict=False)]
    empty = [(variable, value) for variable, value in pairs if raw_value(variable) is None]
    for variable, value in empty:
        set_raw_value(variable, value)
    try:
        yield
    finally:
        for variable, _ in empty:
            set_raw_value(variable, None)


def _functional_state(model: Any) -> dict[str, Sequence[Any]] | None:
    """Returns the values that JAX's trainer passes from step to step, while it trains."""
    # See `models.variable_values` for `_jax_state`. The public `jax_state_sync` would take as long
    # as a training step.
    if keras.backend.backend() != "jax" or model._jax_state_synced or not model._jax_state:
        return None
    return {kind: model._jax_state[f"{kind}_variables"] for kind in _KINDS}


def _copy_to_host(x: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(x))


@contextlib.contextmanager
def preserve_random_state() -> Iterator[None]:
    """Restores all random generators when the context exits; inside, torch tracks no gradients."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with _FRAMEWORKS[keras.backend.backend()]():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def random_state() -> list[np.ndarray]:
    """Returns the random state that a step uses beside the model's seed generators.

    That is the state of torch's generators, from which a `keras.layers.Dropout` without a seed draws.
    """
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [x.numpy() for x in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def set_random_state(state: Sequence[np.ndarray]) -> None:
    """Sets the state that `random_state` returned."""
    if not state:
        return
    import torch

    cpu, *gpus = map(torch.from_numpy, state)
    torch.set_rng_state(cpu)
    torch.cuda.set_rng_state_all(gpus[: torch.cuda.device_count()])


@contextlib.contextmanager
def _preserve_tensorflow() -> Iterator[None]:
    from tensorflow.python.eager import context

    # After `tf.random.set_seed`, eager operations draw their seeds from this generator, which has no
    # public name. Without restoring it, an eager training would draw other numbers afterwards.
    generator = getattr(context.context(), "_rng", random.Random())
    state = generator.getstate()
    try:
        yield
    finally:
        generator.setstate(state)


@contextlib.contextmanager
def _preserve_torch() -> Iterator[None]:
    import torch

    with torch.random.fork_rng(), torch.no_grad():
        yield


_FRAMEWORKS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "tensorflow": _preserve_tensorflow,
    "jax": contextlib.nullcontext,
    "torch": _preserve_torch,
}
