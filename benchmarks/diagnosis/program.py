"""Labelled training programs; `*faulty.py` and `*healthy.py` define them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from sklearn import datasets

from benchmarks.fingerprint import RECORDING, fingerprint

Data = tuple[np.ndarray, np.ndarray]

# On TensorFlow, XLA compilation takes longer than these few steps. JAX without it would compile
# each operation separately.
_UNCOMPILED = {"jit_compile": False} if keras.backend.backend() == "tensorflow" else {}


@dataclass(frozen=True)
class Program:
    """A compiled model and the arguments of `fit`."""

    model: Any
    x: Any
    y: Any
    epochs: int = 10
    batch_size: int = 32
    fit: Mapping[str, Any] = field(default_factory=dict)

    def run(self, *callbacks: Any) -> Any:
        arguments = {"epochs": self.epochs, "batch_size": self.batch_size, "verbose": 0}
        return self.model.fit(self.x, self.y, callbacks=list(callbacks), **(arguments | self.fit))


@dataclass(frozen=True)
class Case:
    """A program with its label.

    Attributes:
        name: Unique.
        codes: Codes that are right for this program; empty for a healthy program.
        like: Code that a healthy program may be confused with.
        make: Creates the program.
        policy: Dtype policy of the program.
    """

    name: str
    codes: tuple[str, ...]
    like: str
    make: Callable[[], Program]
    policy: str = "float32"

    def run(self, *callbacks: Any, seed: int = 0) -> Any:
        """Trains the program; returns the `History`."""
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        keras.config.set_dtype_policy(self.policy)
        try:
            return self.make().run(*callbacks)
        finally:
            keras.config.set_dtype_policy("float32")


CASES: dict[str, Case] = {}


def faulty(*codes: str, policy: str = "float32") -> Callable[[Callable[[], Program]], None]:
    """Registers the decorated function as a faulty program; the first code is the fault."""
    return _register(codes, "", policy)


def healthy(like: str = "", policy: str = "float32") -> Callable[[Callable[[], Program]], None]:
    """Registers the decorated function as a healthy program."""
    return _register((), like, policy)


def _register(codes: tuple[str, ...], like: str, policy: str) -> Any:
    def register(make: Callable[[], Program]) -> None:
        name = make.__name__.replace("_", "-")
        assert name not in CASES, name
        CASES[name] = Case(name, codes, like, make, policy)

    return register


def stack(shape: tuple[int, ...], *layers: Any, dtype: str | None = None) -> Any:
    """Returns a Sequential model."""
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def compiled(model: Any, optimizer: Any, loss: Any, *metrics: str, **options: Any) -> Any:
    """Returns the model, compiled without XLA on TensorFlow."""
    options = _UNCOMPILED | options
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics), **options)
    return model


def tower(depth: int, units: int, activation: Any, **options: Any) -> list[Any]:
    """Returns equal dense layers."""
    return [keras.layers.Dense(units, activation, **options) for _ in range(depth)]


def classifies(model: Any, optimizer: Any, **options: Any) -> Any:
    """Returns the model, compiled as a classifier of integer labels."""
    return compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy", **options)


def decides(model: Any, optimizer: Any) -> Any:
    """Returns the model, compiled as a binary classifier."""
    return compiled(model, optimizer, "binary_crossentropy", "accuracy")


def standard(x: np.ndarray) -> np.ndarray:
    return ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-8)).astype("float32")


def digits() -> Data:
    x, y = datasets.load_digits(return_X_y=True)
    return (x / 16).astype("float32"), y


def images() -> Data:
    x, y = digits()
    return x.reshape(-1, 8, 8, 1), y


def wine(raw: bool = False) -> Data:
    x, y = datasets.load_wine(return_X_y=True)
    return (x.astype("float32") if raw else standard(x)), y


def cancer(raw: bool = False) -> Data:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return (x.astype("float32") if raw else standard(x)), y.astype("float32")


def diabetes() -> Data:
    x, y = datasets.load_diabetes(return_X_y=True)
    return standard(x), standard(y[:, None])


def moons(number: int = 800) -> Data:
    x, y = datasets.make_moons(number, noise=0.15, random_state=3)
    return standard(x), y.astype("float32")


def rings(number: int = 800) -> Data:
    x, y = datasets.make_circles(number, noise=0.08, factor=0.5, random_state=4)
    return x.astype("float32"), y.astype("float32")


def surface(number: int = 1000, features: int = 6, noise: float = 0.1, scale: float = 1.0) -> Data:
    """Returns samples of a smooth function of a few features, with noise."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(number, features))
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + x[:, 3] + noise * rng.normal(size=number)
    return x.astype("float32"), (scale * y[:, None]).astype("float32")


def sequences(number: int = 800, length: int = 16) -> Data:
    """The target is 1 if the sum of the first feature over time is positive."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(number, length, 3)).astype("float32")
    return x, (x[:, :, 0].sum(axis=1) > 0).astype("float32")


def tokens(number: int = 1200, length: int = 20, words: int = 3000) -> Data:
    """The target is 1 if two of the first tenth of the words occur."""
    rng = np.random.default_rng(7)
    x = rng.integers(0, words, (number, length))
    return x, ((x < words // 10).sum(axis=1) >= 2).astype("float32")


def hot(y: np.ndarray) -> np.ndarray:
    return np.eye(int(y.max()) + 1, dtype="float32")[y]


def code_fingerprint(*programs: str) -> str:
    """Returns the fingerprint of the code that trains and judges the programs in these modules."""
    judging = ("keras_l4.events", "keras_l4.rules", "benchmarks.diagnosis.table")
    return fingerprint(*RECORDING, *judging, "benchmarks.diagnosis.program", *programs)
