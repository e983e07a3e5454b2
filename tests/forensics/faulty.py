"""Layers and models with one planted fault each, for the tests that look for its origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

ARCHITECTURES = ["sequential", "functional", "subclassed", "nested"]
FEATURES = 4

register = keras.saving.register_keras_serializable("faulty")


@register
class Exp(layers.Layer):
    def call(self, x: Any) -> Any:
        return ops.exp(x)


@register
class Root(layers.Layer):
    def call(self, x: Any) -> Any:
        return ops.sqrt(x)


@register
class MaskedMean(layers.Layer):
    """Adds the mean over the positive elements of a row; 0 / 0 if it has none."""

    def call(self, x: Any) -> Any:
        mask = ops.cast(x > 0, x.dtype)
        return x + ops.sum(x * mask, -1, keepdims=True) / ops.sum(mask, -1, keepdims=True)


class GuardedRoot(layers.Layer):
    """`where` removes the NaN of negative elements from the output, but not from the derivative."""

    def call(self, x: Any) -> Any:
        return ops.where(x > 0, ops.sqrt(x), 0.0)


class GuardedExp(layers.Layer):
    def call(self, x: Any) -> Any:
        return ops.where(x > 80, 1.0, ops.exp(x))


@register
class Scale(layers.Layer):
    def __init__(self, factor: float, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def get_config(self) -> Any:
        return super().get_config() | {"factor": self.factor}

    def call(self, x: Any) -> Any:
        return x * self.factor


@register
class WrongGradient(layers.Layer):
    def call(self, x: Any) -> Any:
        @ops.custom_gradient
        def identity(x: Any) -> Any:
            def gradient(*arguments: Any, upstream: Any = None) -> Any:
                (upstream,) = arguments if upstream is None else (upstream,)
                return ops.multiply(upstream, float("nan"))

            return ops.multiply(x, 1.0), gradient

        return identity(x)


class Subclassed(keras.Model):
    def __init__(self, stack: Sequence[Any], **options: Any) -> None:
        super().__init__(**options)
        self.stack = list(stack)

    def call(self, x: Any, training: bool | None = None) -> Any:
        # On JAX, Keras does not pass `training` on to the layers by itself.
        for layer in self.stack:
            x = layer(x, training=training)
        return x


def build(
    stack: Sequence[Any],
    architecture: str = "sequential",
    shape: Any = (FEATURES,),
    **compiled: Any,
) -> Any:
    """Returns a compiled and built model of these layers.

    Args:
        stack: The layers.
        architecture: One of `ARCHITECTURES`.
        shape: Shape of an input.
        **compiled: Arguments of `compile`.
    """
    model = _BUILDERS[architecture](list(stack), shape)
    model.compile(**({"optimizer": "sgd", "loss": "mse"} | compiled))
    model.optimizer.build(model.trainable_variables)
    return model


def _sequential(stack: list[Any], shape: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *stack])


def _functional(stack: list[Any], shape: Any) -> Any:
    inputs = outputs = keras.Input(shape)
    for layer in stack:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _subclassed(stack: list[Any], shape: Any) -> Any:
    model = Subclassed(stack)
    model(np.zeros((1, *shape), "float32"))
    return model


def _nested(stack: list[Any], shape: Any) -> Any:
    """Puts all layers but the first and the last into a model inside the model."""
    inputs = keras.Input(shape)
    hidden = stack[0](inputs)
    middle = _functional(stack[1:-1], hidden.shape[1:])
    return keras.Model(inputs, stack[-1](middle(hidden)))


_BUILDERS = {
    "sequential": _sequential,
    "functional": _functional,
    "subclassed": _subclassed,
    "nested": _nested,
}
