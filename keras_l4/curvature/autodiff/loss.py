"""The loss of a batch as a pure function of the weights, which does not change the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeAlias

import keras

from keras_l4 import keras_internals

Tensor: TypeAlias = Any
Batch: TypeAlias = tuple[Any, Any, Any]
"""Inputs, targets and sample weights: structures of tensors, or None."""
Loss: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor], Batch], Tensor]
"""Maps the values of the trainable and the non-trainable variables and a batch to a scalar."""
VectorProduct: TypeAlias = Callable[[Sequence[Tensor]], list[Tensor]]
"""Multiplies a matrix by a vector; both vectors are lists in the shapes of the trainable values."""


class Derivatives(NamedTuple):
    """The loss of a batch and its derivatives, each compiled once per shape of a batch.

    All three take the values of the trainable and the non-trainable variables and a batch.

    Attributes:
        loss: Returns the loss.
        gradient: Returns the loss and the gradients, in the shapes of the trainable values.
        hessian: Returns the function that multiplies the Hessian by a vector. That function may
            store intermediate results which all products share; they take as much memory as one
            product does.
    """

    loss: Loss
    gradient: Callable[[Sequence[Tensor], Sequence[Tensor], Batch], tuple[Tensor, list[Tensor]]]
    hessian: Callable[[Sequence[Tensor], Sequence[Tensor], Batch], VectorProduct]


def pure_loss(model: Any, constant_layers: Sequence[Any] = ()) -> Loss:
    """Returns the loss of a compiled and built model as a pure function of its weights.

    The loss is that of `evaluate`: dropout is off, and BatchNormalization uses its moving
    statistics. It includes regularizers and what layers pass to `add_loss`, but not the loss scale.
    Values that the model assigns to its variables, metrics or seed generators are discarded.

    Args:
        model: The model.
        constant_layers: Layers whose weights and inputs are treated as constants. Their outputs
            still depend on the weights, with a derivative of 0, so that a layer behind them is
            differentiated even if it has no weights itself.
    """
    constant_ids = {id(v) for layer in constant_layers for v in layer.trainable_variables}

    def loss(trainable: Sequence[Tensor], non_trainable: Sequence[Tensor], batch: Batch) -> Tensor:
        values = [
            keras.ops.stop_gradient(value) if id(variable) in constant_ids else value
            for variable, value in zip(model.trainable_variables, trainable, strict=True)
        ]
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        state = list(zip(variables, [*values, *non_trainable], strict=True))
        # With `collect_losses`, `model.losses` has only those that layers add inside the scope.
        scope = keras.StatelessScope(state, collect_losses=True)
        with scope, _treated_as_constant(constant_layers, trainable):
            outputs = keras_internals.call_model(model, batch[0], training=False)
            return keras_internals.compute_loss(model, batch, outputs, training=False)

    return loss


def _treated_as_constant(
    layers: Sequence[Any], trainable: Sequence[Tensor]
) -> AbstractContextManager[None]:
    zero = _differentiable_zero(trainable) if layers else None

    def stop(x: Any) -> Any:
        return keras.ops.stop_gradient(x) if is_float_tensor(x) else x

    def attach(x: Any) -> Any:
        return stop(x) + keras.ops.cast(zero, x.dtype) if is_float_tensor(x) else x

    def constant(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def constant_call(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = keras.tree.map_structure(stop, (args, kwargs))
            return keras.tree.map_structure(attach, call(*args, **kwargs))

        return constant_call

    return keras_internals.override_calls(layers, constant)


def _differentiable_zero(values: Sequence[Tensor]) -> Tensor:
    """Returns a 0 that the framework differentiates by the values."""
    total = sum(keras.ops.sum(keras.ops.square(value)) for value in values)
    return total - keras.ops.stop_gradient(total)


def is_float_tensor(x: Any) -> bool:
    """Returns True for a tensor of floating-point numbers."""
    return keras.ops.is_tensor(x) and keras.backend.is_float_dtype(x.dtype)
