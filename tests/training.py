"""Small models on a few rows, for tests; each step is the same from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_l4.callbacks import TrainingDiagnostics

ROWS, FEATURES, BATCH = 24, 3, 8
STEPS = ROWS // BATCH


def rows(nan_at: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets, `STEPS` batches; one feature of batch `nan_at` is NaN."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    y = rng.normal(size=(ROWS, 1)).astype("float32")
    if nan_at is not None:
        x[nan_at * BATCH, 0] = np.nan
    return x, y


def build(optimizer: Any = "adam", layers: Sequence[Any] = (), **compiled: Any) -> Any:
    """Returns a compiled model, the same each time; by default of two linear layers.

    It runs as users run it: TensorFlow traces the step unless a test passes `run_eagerly=True`.
    """
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    stack = list(layers) or [keras.layers.Dense(2), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((FEATURES,)), *stack])
    model.compile(optimizer, **({"loss": "mse"} | compiled))
    return model


def train(model: Any, *callbacks: Any, nan_at: int | None = None, **arguments: Any) -> Any:
    """Fits without shuffling and without output; returns the `History`."""
    x, y = rows(nan_at)
    fixed = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    return model.fit(x, y, callbacks=list(callbacks), **(fixed | arguments))


def norms(*arguments: Any, **options: Any) -> TrainingDiagnostics:
    """Returns a callback with one quantity only, so that little is traced."""
    return TrainingDiagnostics(*arguments, **({"quantities": ["gradient_norm"]} | options))


def event_files(log_dir: Path) -> list[Path]:
    """Returns all event files below a directory."""
    return sorted(log_dir.rglob("events.out.tfevents.*"))


def state(model: Any) -> list[np.ndarray]:
    """Returns all weights of the model, then all variables of its optimizer."""
    variables = [*model.weights, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def same(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> bool:
    """Returns True if the arrays are bit-for-bit equal; NaN is equal to NaN."""
    pairs = zip(ours, theirs, strict=True)
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)
