"""Layers, variables and losses of a Keras model that its public interface does not provide."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_l4.keras_internals.optimizers import inner_optimizers, unwrap_loss_scaling

_COMPOSITE_LEAVES = (keras.layers.RNN, keras.layers.Wrapper)


def all_layers(layer: Any) -> list[Any]:
    """Returns a layer and all layers inside it."""
    # `Layer._flatten_layers` walks nested layers of any depth. The public `Model.layers` has the
    # first level only, and a layer has no such attribute.
    return list(layer._flatten_layers())


def leaf_layers(model: Any) -> list[Any]:
    """Returns the layers without sublayers, in the order in which the model stores them.

    A recurrent layer or a wrapper is one leaf: its cell is called once per time step.
    """
    inner_layers = [layer for layer in all_layers(model) if layer is not model]
    inside_composites = {
        id(sublayer)
        for layer in inner_layers
        if isinstance(layer, _COMPOSITE_LEAVES)
        for sublayer in all_layers(layer)
        if sublayer is not layer
    }
    return [
        layer
        for layer in inner_layers
        if id(layer) not in inside_composites
        and not isinstance(layer, (keras.layers.InputLayer, keras.metrics.Metric))
        and (isinstance(layer, _COMPOSITE_LEAVES) or len(all_layers(layer)) == 1)
    ]


def is_built(model: Any) -> bool:
    """Returns True if all layers are built. `model.built` is True too early in a subclassed model."""
    return all(layer.built for layer in all_layers(model))


def build_model(model: Any, batch: Any) -> None:
    """Creates the variables of a model, its metrics and its optimizer, as its first batch would."""
    # `Trainer._symbolic_build` is what `fit` calls. The public `Model.build` does not build the
    # layers of a subclassed model, nor metrics.
    model._symbolic_build(data_batch=batch)


def variable_values(model: Any) -> tuple[list[Any], list[Any]]:
    """Returns the values of the trainable and the other variables, as `stateless_call` takes them."""
    # While JAX trains, the current values are in `_jax_state`, and the variables are out of date
    # until `jax_state_sync`, which takes as long as a step. `_jax_state_synced` is True if the
    # variables are up to date instead, for instance after a callback has called `set_weights`.
    # Only JAX's trainer has these attributes.
    state = getattr(model, "_jax_state", None)
    if state and not model._jax_state_synced:
        return list(state["trainable_variables"]), list(state["non_trainable_variables"])
    trainable = [variable.value for variable in model.trainable_variables]
    return trainable, [variable.value for variable in model.non_trainable_variables]


def trained_variables(optimizer: Any) -> list[Any]:
    """Returns the variables that an optimizer updates, those of all its inner optimizers."""
    optimizers = inner_optimizers(unwrap_loss_scaling(optimizer))
    return [variable for inner in optimizers for variable in built_variables(inner)]


def built_variables(optimizer: Any) -> list[Any]:
    """Returns the variables that `optimizer.build` was called with, in their order."""
    # There is no public name: `Optimizer.variables` are those of the optimizer itself.
    return optimizer._trainable_variables


def call_model(model: Any, x: Any, training: bool) -> Any:
    """Calls the model as Keras' trainers do."""
    # `_call_has_training_arg`: `call` of a subclassed model need not have the argument `training`,
    # and fails if it is passed.
    return model(x, training=training) if model._call_has_training_arg else model(x)


def compute_loss(model: Any, batch: tuple[Any, Any, Any], outputs: Any, training: bool) -> Any:
    """Computes the loss of outputs, with regularizers and what layers add, as Keras' trainers do.

    Args:
        model: A compiled model, which has just been called.
        batch: The inputs, targets and sample weights.
        outputs: The outputs of the model for these inputs.
        training: Passed to `model.compute_loss`.
    """
    x, y, weight = batch
    # `_compute_loss` calls the public `compute_loss` without `training` if a user's override does
    # not have that argument. Calling `compute_loss` directly would fail for such a model.
    return model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weight, training=training)


def compiled_loss(model: Any) -> Any:
    """Returns the object that holds the compiled loss; another one after each `compile`."""
    # `_compile_loss` is the only sign of a new `compile`: without it, a derivative that is cached
    # with the model would be that of the previous loss.
    return model._compile_loss


def is_distributed(model: Any) -> bool:
    """Returns True if the variables are on several devices: `keras.distribution` or `tf.distribute`."""
    # Only TensorFlow's trainer has `_distribute_strategy`; `distribute_strategy` is a property that
    # returns a default strategy for a model that is not distributed.
    strategy = getattr(model, "_distribute_strategy", None)
    return keras.distribution.distribution() is not None or strategy is not None


def check_model(model: Any) -> None:
    """Argument check: `model` must be a `keras.Model`.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model={model!r} is a {type(model).__name__}; expected a keras.Model.")


@contextlib.contextmanager
def preserve_state(model: Any, batch: tuple[Any, Any, Any]) -> Iterator[None]:
    """Restores the variables of the model and its metrics when the context exits.

    Args:
        model: A compiled and built model.
        batch: The inputs, targets and sample weights that the model is called with inside.
    """
    # Build first: a loss that is built by its first call creates metrics, which the list below
    # would miss. On JAX such a loss cannot be built inside a trace at all.
    build_model(model, batch)
    variables = [*model.variables, *model.metrics_variables]
    before = [keras.ops.copy(variable.value) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
