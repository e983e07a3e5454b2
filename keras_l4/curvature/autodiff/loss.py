"""The loss of a batch as a function of the weights, which leaves the model as it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras

Batch = tuple[Any, Any, Any]
"""Inputs, targets and sample weights: structures of tensors, or None."""
Loss = Callable[[Sequence[Any], Sequence[Any], Batch], Any]
"""Of the values of the trainable and the other variables, and a batch; a scalar."""
See = Callable[[Callable[..., Any], Sequence[Any]], None]
"""Is shown a function and the arguments it is called with."""
Product = Callable[[Sequence[Any]], list[Any]]
"""Takes tangents in the shapes of the trainable values; gives a matrix times them, likewise."""


class Derivatives(NamedTuple):
    """The loss of a batch and its derivatives, each compiled once for each shape of a batch.

    Attributes:
        loss: Takes the trainable values, the others and a batch; gives a scalar.
        gradient: Likewise; gives the loss and the gradients, in the shapes of the trainable values.
        hessian: Likewise; gives the products of the Hessian with vectors. What these have in common
            may be kept for as long as it is: as much memory as such a product takes anyway.
    """

    loss: Loss
    gradient: Callable[[Sequence[Any], Sequence[Any], Batch], tuple[Any, list[Any]]]
    hessian: Callable[[Sequence[Any], Sequence[Any], Batch], Product]


def pure_loss(model: Any, frozen: Sequence[Any] = ()) -> Loss:
    """The loss of a compiled and built model.

    As in `evaluate`: dropout is off, and BatchNormalization takes its moving statistics. What
    `add_loss` and regularizers add is in it, the loss scale is not. What is assigned to a variable,
    a metric, a seed generator or the state of a layer goes nowhere.

    Args:
        model: The model.
        frozen: Layers that are taken for constants, with what they are given. What they give still
            counts as dependent on the weights, so that a layer behind them, which may have none of its
            own, is differentiated.
    """
    held = {id(variable) for layer in frozen for variable in layer.trainable_variables}

    def loss(trainable: Sequence[Any], rest: Sequence[Any], batch: Batch) -> Any:
        x, y, weight = batch
        values = [
            keras.ops.stop_gradient(value) if id(variable) in held else value
            for variable, value in zip(model.trainable_variables, trainable, strict=True)
        ]
        alive = _zero_that_depends_on(trainable) if frozen else None
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        state = zip(variables, [*values, *rest], strict=True)
        # `losses` of the model are those that were added in this scope.
        with keras.StatelessScope(list(state), collect_losses=True), _constant(frozen, alive):
            # The trainers ask it this way; a model's `call` need not take `training`.
            mode = {"training": False} if model._call_has_training_arg else {}
            outputs = model(x, **mode)
            # A `compute_loss` of the user's need not take `training`: this wrapper knows.
            return model._compute_loss(
                x=x, y=y, y_pred=outputs, sample_weight=weight, training=False
            )

    return loss


@contextlib.contextmanager
def _constant(layers: Sequence[Any], alive: Any) -> Iterator[None]:
    for layer in layers:
        # Straight into the dictionary: Keras and torch track what is assigned.
        vars(layer)["call"] = _stopped(layer.call, alive)
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _zero_that_depends_on(values: Sequence[Any]) -> Any:
    total = sum(keras.ops.sum(keras.ops.square(value)) for value in values)
    return total - keras.ops.stop_gradient(total)


def _stopped(call: Callable[..., Any], alive: Any) -> Callable[..., Any]:
    def stop(x: Any) -> Any:
        return keras.ops.stop_gradient(x) if _is_real(x) else x

    def revive(x: Any) -> Any:
        return stop(x) + keras.ops.cast(alive, x.dtype) if _is_real(x) else x

    def constant(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = keras.tree.map_structure(stop, (args, kwargs))
        return keras.tree.map_structure(revive, call(*args, **kwargs))

    return constant


def _is_real(x: Any) -> bool:
    return keras.ops.is_tensor(x) and keras.backend.is_float_dtype(x.dtype)
