"""Data and a small classifier for each `--dataset`. Keras downloads all of them except digits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

Data = tuple[np.ndarray, np.ndarray]
WORDS, REVIEW_LENGTH = 10_000, 200


def digits() -> Data:
    """Returns 1797 flattened images of 8 x 8 pixels, which are part of scikit-learn."""
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype("float32"), y.astype("int32")


def images(source: ModuleType) -> Data:
    (x, y), _ = source.load_data()
    return (x.reshape(*x.shape[:3], -1) / 255).astype("float32"), y.ravel().astype("int32")


def reviews() -> Data:
    (x, y), _ = keras.datasets.imdb.load_data(num_words=WORDS)
    return keras.utils.pad_sequences(x, REVIEW_LENGTH), y.astype("int32")


def mlp() -> list[Any]:
    return [
        layers.Dense(64, activation="relu", name="hidden_1"),
        layers.Dense(32, activation="relu", name="hidden_2"),
        layers.Dense(10, activation="softmax", name="output"),
    ]


def cnn() -> list[Any]:
    return [
        layers.Conv2D(16, 3, strides=2, activation="relu", name="conv_1"),
        layers.Conv2D(32, 3, strides=2, activation="relu", name="conv_2"),
        layers.Flatten(),
        layers.Dense(64, activation="relu", name="hidden"),
        layers.Dense(10, activation="softmax", name="output"),
    ]


def bag_of_words() -> list[Any]:
    return [
        layers.Embedding(WORDS, 16, name="embedding"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(16, activation="relu", name="hidden"),
        layers.Dense(2, activation="softmax", name="output"),
    ]


DATASETS: dict[str, tuple[Callable[[], Data], Callable[[], list[Any]]]] = {
    "digits": (digits, mlp),
    "mnist": (partial(images, keras.datasets.mnist), cnn),
    "fashion_mnist": (partial(images, keras.datasets.fashion_mnist), cnn),
    "cifar10": (partial(images, keras.datasets.cifar10), cnn),
    "imdb": (reviews, bag_of_words),
}


def load(name: str) -> tuple[np.ndarray, np.ndarray, keras.Model]:
    """Returns inputs, labels and an uncompiled model; exits if the data cannot be downloaded."""
    load_data, build = DATASETS[name]
    try:
        x, y = load_data()
    except Exception as error:  # Keras raises a plain Exception when a download fails.
        hint = "--dataset digits needs no network"
        raise SystemExit(f"Could not download {name}; {hint}. {error}") from None
    return x, y, keras.Sequential([keras.Input(x.shape[1:]), *build()], name=name)
