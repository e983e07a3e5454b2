"""Layers, losses and models with one disease each, for the tests of where it is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

ARCHITECTURES = ["sequential", "functional", "subclassed", "nested"]
FEATURES = 4

register = keras.saving.register_keras_serializable("sick")


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
    """The mean over what is positive; 0 / 0 in a row without anything positive."""

    def call(self, x: Any) -> Any:
        mask = ops.cast(x > 0, x.dtype)
        return x + ops.sum(x * mask, -1, keepdims=True) / ops.sum(mask, -1, keepdims=True)


class GuardedRoot(layers.Layer):
    """The trap: `where` takes the root of what is not positive out again, its derivative stays."""

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
        # On JAX the layers are not told otherwise.
        for layer in self.stack:
            x = layer(x, training=training)
        return x


def model(
    stack: Sequence[Any], kind: str = "sequential", shape: Any = (FEATURES,), **compiled: Any
) -> Any:
    """A compiled and built model of these layers."""
    built = _MAKERS[kind](list(stack), shape)
    built.compile(**({"optimizer": "sgd", "loss": "mse"} | compiled))
    built.optimizer.build(built.trainable_variables)
    return built


def _sequential(stack: list[Any], shape: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *stack])


def _functional(stack: list[Any], shape: Any) -> Any:
    inputs = outputs = keras.Input(shape)
    for layer in stack:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _subclassed(stack: list[Any], shape: Any) -> Any:
    made = Subclassed(stack)
    made(np.zeros((1, *shape), "float32"))
    return made


def _nested(stack: list[Any], shape: Any) -> Any:
    """All but the first and the last layer stand in a model in the model."""
    inputs = keras.Input(shape)
    hidden = stack[0](inputs)
    middle = _functional(stack[1:-1], hidden.shape[1:])
    return keras.Model(inputs, stack[-1](middle(hidden)))


_MAKERS = {
    "sequential": _sequential,
    "functional": _functional,
    "subclassed": _subclassed,
    "nested": _nested,
}
