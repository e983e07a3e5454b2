"""The private Keras names that recording cannot do without, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras
from keras.src import api_export
from keras.src.saving import object_registration

_C = TypeVar("_C", bound=type)


def implementation(optimizer: Any) -> Any:
    """The class that Keras makes for `optimizer`.

    On torch that is a subclass with fused updates, which `__new__` picks by exact class, so that
    a plain subclass would lose it.
    """
    return type(optimizer.__new__(optimizer))


def save_as(stock: Any) -> Callable[[_C], _C]:
    """Makes Keras save instances of the decorated class under the public name of `stock`.

    Keras looks the class of an object up in this table; there is no other hook.
    """

    def register(cls: _C) -> _C:
        api_export.REGISTERED_OBJS_TO_NAMES[cls] = f"keras.optimizers.{stock.__name__}"
        return cls

    return register


def save_like(cls: type, original: type) -> None:
    """Makes Keras save instances of `cls` as it saves those of `original`."""
    for names in (api_export.REGISTERED_OBJS_TO_NAMES, object_registration.GLOBAL_CUSTOM_NAMES):
        if original in names:
            names[cls] = names[original]


def inner_optimizer(optimizer: Any) -> Any:
    """The optimizer that holds slots and clipping: the inner one under loss scaling."""
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer.inner_optimizer if scaled else optimizer


def loss_scale(optimizer: Any) -> Any:
    """What the loss was multiplied by, or None."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale
    return optimizer.loss_scale_factor


def raw_iterations(optimizer: Any) -> Any:
    """The counter of all calls; `iterations` divides it by the accumulation steps."""
    return optimizer._iterations


def accumulators(optimizer: Any, variables: Sequence[Any]) -> list[Any]:
    """The gradients accumulated so far; there is no public name for them."""
    return [optimizer._accumulated_gradients[variable_index(optimizer, v)] for v in variables]


def variable_key(optimizer: Any, variable: Any) -> Any:
    """Keras' identity of a variable, the same for a `keras.Variable` and its `tf.Variable`."""
    return optimizer._var_key(variable)


def variable_index(optimizer: Any, variable: Any) -> int:
    """Position of the variable in the slots."""
    return optimizer._get_variable_index(variable)


def clips(optimizer: Any) -> bool:
    """Whether gradients are clipped at all."""
    return bool(optimizer.clipnorm or optimizer.global_clipnorm or optimizer.clipvalue)


def clip(optimizer: Any, gradients: Sequence[Any]) -> list[Any]:
    """The gradients as the optimizer consumes them, by the optimizer's own clipping."""
    return optimizer._clip_gradients(gradients)


def trained_variables(optimizer: Any) -> list[Any]:
    """Those that the optimizer was built with; there is no public name for them."""
    return list(inner_optimizer(optimizer)._trainable_variables)


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


def model_state(model: Any) -> tuple[list[Any], list[Any]]:
    """Values of the trainable and the other variables, as `stateless_call` takes them.

    While JAX trains they are in `_jax_state`; the variables follow only when they are synced,
    which costs as much as a step.
    """
    held = getattr(model, "_jax_state", None)
    if held:
        return list(held["trainable_variables"]), list(held["non_trainable_variables"])
    kinds = (model.trainable_variables, model.non_trainable_variables)
    trainable, non_trainable = ([variable.value for variable in kind] for kind in kinds)
    return trainable, non_trainable
