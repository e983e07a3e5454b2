"""Small models of several kinds, in float64 if requested, with data for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import keras
import numpy as np
from keras import layers
from keras.src.backend.common import dtypes

ROWS, CLASSES = 20, 3
Data = tuple[np.ndarray, np.ndarray]


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Makes models that are created inside compute in float64."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        # On JAX and torch, Keras' own operations would cast float64 to float32.
        with _jax_x64(), mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, {"float64": "float64"}):
            yield
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)


def _jax_x64() -> Any:
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def dense() -> list[Any]:
    return [keras.Input((6,)), layers.Dense(8, activation="tanh"), _softmax_head()]


def wide() -> list[Any]:
    hidden = layers.Dense(20, activation="tanh", kernel_regularizer=keras.regularizers.L2(1e-3))
    return [keras.Input((6,)), hidden, layers.Dense(10, activation="gelu"), _softmax_head()]


def convolution() -> list[Any]:
    return [
        keras.Input((6, 6, 1)),
        layers.Conv2D(3, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Dropout(0.5),
        layers.Flatten(),
        _softmax_head(),
    ]


def recurrent() -> list[Any]:
    return [keras.Input((4, 3)), layers.LSTM(3), _softmax_head()]


def embedded() -> list[Any]:
    # An index may occur in a row more than once.
    return [keras.Input((5,), dtype="int32"), layers.Embedding(7, 4), Attention(), _softmax_head()]


class Attention(layers.Layer):
    """Self-attention, averaged over positions."""

    def build(self, shape: Any) -> None:
        self.attention = layers.MultiHeadAttention(2, 3)
        self.norm = layers.LayerNormalization()
        self.attention.build(shape, shape)
        self.norm.build(shape)

    def call(self, x: Any) -> Any:
        return keras.ops.mean(self.norm(x + self.attention(x, x)), axis=1)


def _softmax_head() -> Any:
    return layers.Dense(CLASSES, activation="softmax")


STACKS: dict[str, Callable[[], list[Any]]] = {
    "dense": dense,
    "convolution": convolution,
    "recurrent": recurrent,
    "embedded": embedded,
}


def compiled(stack: list[Any], optimizer: Any = "sgd", loss: Any = None) -> Any:
    """Returns a compiled classifier with the same weights each time."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(stack)
    model.compile(optimizer, loss=loss or "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data_for(model: Any) -> Data:
    """Returns inputs of the model's shape, and class labels."""
    rng = np.random.default_rng(0)
    shape, dtype = model.input_shape[1:], model.inputs[0].dtype
    indices = rng.integers(0, 7, size=(ROWS, *shape))
    x = indices.astype(dtype) if dtype == "int32" else rng.normal(size=(ROWS, *shape))
    return x, rng.integers(0, CLASSES, size=ROWS)
