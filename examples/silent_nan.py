"""A NaN that `TerminateOnNaN` does not detect.

One pixel of one image is NaN, as after a division by an empty channel. On TensorFlow without XLA, on
some CPUs, relu turns NaN activations into zeros: the loss stays finite, the weights of the first
layer become NaN, and training continues. On other CPUs, with XLA, on JAX and on torch, relu returns
NaN and the loss becomes NaN. `TerminateOnNaN` then stops training, but does not report the cause.

KERAS_BACKEND=tensorflow python examples/silent_nan.py
KERAS_BACKEND=jax python examples/silent_nan.py
"""

from __future__ import annotations

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_l4

BATCH_SIZE, BAD_BATCH = 32, 20


def data_with_one_nan() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    x[BAD_BATCH * BATCH_SIZE, 28] = np.nan
    return x, y.astype("int32")


def small_model() -> keras.Model:
    layers = [
        keras.Input((64,)),
        keras.layers.Dense(32, activation="relu", name="hidden"),
        keras.layers.Dense(10, activation="softmax", name="output"),
    ]
    model = keras.Sequential(layers, name="mlp")
    optimizer = keras_l4.optimizers.Adam(1e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    epochs = parser.parse_args().epochs

    keras.utils.set_random_seed(0)
    x, y = data_with_one_nan()
    model = small_model()
    monitor = keras_l4.callbacks.NonFiniteMonitor(verbose=0)
    callbacks = [keras.callbacks.TerminateOnNaN(), monitor]
    history = model.fit(
        x, y, batch_size=BATCH_SIZE, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks
    )

    losses = history.history["loss"]
    is_stopped = not np.isfinite(losses).all()
    num_nan = sum(int(np.isnan(weights).sum()) for weights in model.get_weights())
    print(f"\nBackend: {keras.backend.backend()}. Epochs: {len(losses)} of {epochs}.")
    print("Loss per epoch:", ", ".join(f"{loss:.4f}" for loss in losses))
    print(f"Weights that are NaN at the end: {num_nan} of {model.count_params()}.")
    print("TerminateOnNaN:  ", "stopped training." if is_stopped else "detected nothing.")
    print("NonFiniteMonitor:", monitor.events[0])


if __name__ == "__main__":
    main()
