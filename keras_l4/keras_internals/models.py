"""The private names of Keras' models that a look at one cannot do without, with reasons."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_l4.keras_internals.optimizers import inner_optimizer, parts


def leaf_layers(model: Any) -> list[Any]:
    """Layers without layers of their own, in the order in which the model holds them.

    Recurrent layers and wrappers count as one: their cells are called once per time step.
    """
    whole = (keras.layers.RNN, keras.layers.Wrapper)
    inside = {
        id(part)
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, whole)
        for part in layer._flatten_layers(include_self=False)
    }
    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if id(layer) not in inside
        and not isinstance(layer, keras.layers.InputLayer)
        and not isinstance(layer, keras.metrics.Metric)
        and (isinstance(layer, whole) or not layer._flatten_layers(include_self=False))
    ]


def all_layers(layer: Any) -> list[Any]:
    """A layer and those within it."""
    return list(layer._flatten_layers())


def model_state(model: Any) -> tuple[list[Any], list[Any]]:
    """Values of the trainable and the other variables, as `stateless_call` takes them.

    While JAX trains they are in `_jax_state`; the variables follow only when they are synced,
    which costs as much as a step. Then they may be newer, as where a callback sets the weights.
    """
    held = getattr(model, "_jax_state", None)
    if held and not model._jax_state_synced:
        return list(held["trainable_variables"]), list(held["non_trainable_variables"])
    kinds = (model.trainable_variables, model.non_trainable_variables)
    trainable, non_trainable = ([variable.value for variable in kind] for kind in kinds)
    return trainable, non_trainable


def is_built(model: Any) -> bool:
    """Whether all of its variables are there: a subclassed model says so before its layers are."""
    return all(layer.built for layer in model._flatten_layers())


def build_model(model: Any, batch: Any) -> None:
    """Makes the variables of a model, its metrics and its optimizer, as its first batch would.

    `Model.build` leaves the layers of a subclassed model as they are.
    """
    model._symbolic_build(data_batch=batch)


def trained_variables(optimizer: Any) -> list[Any]:
    """Those that the optimizer was built with; there is no public name for them."""
    return [v for part in parts(inner_optimizer(optimizer)) for v in part._trainable_variables]


def is_distributed(model: Any) -> bool:
    """Whether its variables lie on several devices: by `keras.distribution`, or by a strategy."""
    # Only TensorFlow's trainer has the attribute.
    strategy = getattr(model, "_distribute_strategy", None)
    return keras.distribution.distribution() is not None or strategy is not None


def check_model(model: Any) -> None:
    """Raises a TypeError where `model` is no Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model={model!r} is a {type(model).__name__}; expected a keras.Model.")


@contextlib.contextmanager
def unchanged(model: Any, batch: tuple[Any, Any, Any]) -> Iterator[None]:
    """What is assigned inside to a variable of the model or its metrics is put back.

    Args:
        model: A compiled and built model.
        batch: The inputs, targets and sample weights that it is run on.
    """
    # The trainers do the same first: a loss that is built in its first step adds metrics, which
    # would not be put back; on JAX it could not be built there at all.
    build_model(model, batch)
    variables = [*model.variables, *model.metrics_variables]
    before = [keras.ops.copy(variable.value) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
