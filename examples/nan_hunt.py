"""Five diseases, each with a capsule and a diagnosis: where was the NaN born?"""

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
    """Nothing keeps what goes in from being large."""

    def call(self, x):
        return ops.exp(x)


class MaskedMean(layers.Layer):
    """Mean over the positive pixels, of which an image may have none."""

    def call(self, x):
        mask = ops.cast(x > 0, x.dtype)
        return ops.sum(x * mask, axis=1, keepdims=True) / ops.sum(mask, axis=1, keepdims=True)


def negative_log(y, probabilities):
    """Without an epsilon."""
    one_hot = ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), 10)
    return -ops.sum(ops.log(probabilities) * one_hot, axis=-1)


def model(*hidden: layers.Layer, rate: float = 1e-3, loss="sparse_categorical_crossentropy"):
    stack = [keras.Input((64,)), *hidden, layers.Dense(10, activation="softmax")]
    built = keras.Sequential(stack)
    built.compile(keras.optimizers.SGD(rate), loss)
    return built


def changed(place, value):
    x = X.copy()
    x[place] = value
    return x


DISEASES = {
    "a pixel that is NaN": lambda: (model(layers.Dense(32)), changed((1000, 17), np.nan)),
    "an exponential without limit": lambda: (model(layers.Dense(32), Exponent(), rate=1e4), X),
    "a blank image": lambda: (model(MaskedMean()), changed(1200, 0)),
    "a logarithm of zero": lambda: (model(layers.Dense(32), rate=500.0, loss=negative_log), X),
    "a rate without bounds": lambda: (model(layers.Dense(32), layers.Dense(32), rate=1e15), X),
}

if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="nan_hunt-"))
    for name, disease in DISEASES.items():
        keras.utils.set_random_seed(0)
        patient, x = disease()
        recorder = keras_l4.callbacks.FlightRecorder(folder / name, verbose=0)
        patient.fit(x, LABELS, epochs=3, shuffle=False, verbose=0, callbacks=[recorder])
        print(f"\n{name}\n{keras_l4.replay(recorder.capsule, patient)}")
