"""Small models of many kinds, for rows of six features; each output has one unit."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from benchmarks.matrix import steps

FEATURES = 6


def _stack(*stack: Any) -> Any:
    return keras.Sequential([keras.Input((FEATURES,)), *stack, layers.Dense(1)])


def mlp() -> Any:
    return _stack(layers.Dense(5, activation="gelu"), layers.Dense(3, activation="tanh"))


def constrained() -> Any:
    return _stack(
        layers.Dense(4, activation="tanh", kernel_constraint=keras.constraints.MaxNorm(0.3)),
        layers.Dense(3, kernel_constraint="non_neg"),
    )


def functional() -> Any:
    first, second = keras.Input((FEATURES,)), keras.Input((FEATURES,))
    joined = layers.Concatenate()(
        [layers.Dense(3)(first), layers.Dense(3, activation="tanh")(second)]
    )
    return keras.Model([first, second], [layers.Dense(1)(joined), layers.Dense(1)(joined)])


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(4, activation="tanh")
        self.out = layers.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.out(self.hidden(x))


def subclassed() -> Any:
    return Subclassed()


def nested() -> Any:
    inner = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(4, activation="tanh")])
    shared = layers.Dense(4)
    inputs = keras.Input((FEATURES,))
    return keras.Model(inputs, layers.Dense(1)(shared(shared(inner(inputs)))))


def recurrent() -> Any:
    return _stack(layers.Reshape((3, 2)), layers.LSTM(3))


def embedding() -> Any:
    index = layers.Lambda(lambda x: ops.cast(ops.abs(x) * 2, "int32") % 4)
    return _stack(index, layers.Embedding(4, 3), layers.Flatten())


def attention() -> Any:
    inputs = keras.Input((FEATURES,))
    x = layers.LayerNormalization()(layers.Reshape((3, 2))(inputs))
    x = layers.MultiHeadAttention(num_heads=2, key_dim=2)(x, x)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))


def regularized() -> Any:
    convolution = [layers.Reshape((3, 2, 1)), layers.Conv2D(3, 2), layers.BatchNormalization()]
    return _stack(
        *convolution, layers.Activation("tanh"), layers.Flatten(), layers.Dropout(0.3, seed=1)
    )


class Penalty(layers.Layer):
    def call(self, x: Any) -> Any:
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        return x


def with_losses() -> Any:
    return _stack(layers.Dense(4, kernel_regularizer="l2", activation="tanh"), Penalty())


def custom_step() -> Any:
    return steps.MODEL([keras.Input((FEATURES,)), layers.Dense(4, "tanh"), layers.Dense(1)])
