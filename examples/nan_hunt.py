"""Finds the origin of NaN in five faulty programs, each from a capsule of its last steps."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits

import keras_l4

DIGITS, LABELS = load_digits(return_X_y=True)
X = (DIGITS / 16).astype("float32")


class Exponent(layers.Layer):
    """Exponential of inputs of unlimited size."""

    def call(self, x):
        return ops.exp(x)


class MaskedMean(layers.Layer):
    """Mean over the positive pixels; divides by zero if an image has none."""

    def call(self, x):
        mask = ops.cast(x > 0, x.dtype)
        return ops.sum(x * mask, axis=1, keepdims=True) / ops.sum(mask, axis=1, keepdims=True)


def negative_log(y, probabilities):
    """Cross-entropy without an epsilon: the logarithm of zero is -inf."""
    one_hot = ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), 10)
    return -ops.sum(ops.log(probabilities) * one_hot, axis=-1)


def build(*hidden: layers.Layer, rate: float = 1e-3, loss="sparse_categorical_crossentropy"):
    stack = [keras.Input((64,)), *hidden, layers.Dense(10, activation="softmax")]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.SGD(rate), loss)
    return model


def with_value(index, value):
    x = X.copy()
    x[index] = value
    return x


FAULTS = {
    "a pixel that is NaN": lambda: (
        build(layers.Dense(32)),
        with_value((1000, 17), np.nan),
    ),
    "an exponential without limit": lambda: (build(layers.Dense(32), Exponent(), rate=1e4), X),
    "a blank image": lambda: (build(MaskedMean()), with_value(1200, 0)),
    "a logarithm of zero": lambda: (build(layers.Dense(32), rate=500.0, loss=negative_log), X),
    "a learning rate without limit": lambda: (
        build(layers.Dense(32), layers.Dense(32), rate=1e15),
        X,
    ),
}

if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="nan_hunt-"))
    for name, create in FAULTS.items():
        keras.utils.set_random_seed(0)
        model, x = create()
        recorder = keras_l4.callbacks.FlightRecorder(folder / name, verbose=0)
        model.fit(x, LABELS, epochs=3, shuffle=False, verbose=0, callbacks=[recorder])
        print(f"\n{name}\n{keras_l4.replay(recorder.capsule, model)}")
