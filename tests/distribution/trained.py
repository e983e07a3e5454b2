"""What the scripts of this folder train, and what they find: the same on one device and on two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.records.block import StepBlock
from tests.recorder.recorded import joined
from tests.training import same

BATCH, STEPS = 8, 4
ROWS, FEATURES, HIDDEN, UNITS = BATCH * STEPS, 6, 8, 4
EVERY = 2
CLIPNORM = 0.1


@dataclass
class Found:
    """What one training left behind.

    Attributes:
        weights: Of the model, then of its optimizer.
        record: Of every step; None without our callback.
        optimizer: Class of the optimizer after `fit`.
    """

    weights: list[np.ndarray]
    record: StepBlock | None
    optimizer: str


@dataclass
class Seen:
    """What one process saw of one training.

    Attributes:
        weights: Of the model.
        logs: `History`, of every epoch.
        num_batches: That were trained.
        record: What the hooks were given.
        error: What `fit` raised.
        printed: What was printed.
    """

    weights: list[np.ndarray]
    logs: dict[str, list[float]] = field(default_factory=dict)
    num_batches: int = 0
    record: StepBlock | None = None
    error: str = ""
    printed: str = ""


def rows(nan_row: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets; the target of row `nan_row` is NaN.

    Errors have one sign, so that no gradient is a small difference of large numbers: in whatever
    order they are added up, each element of it is the same.
    """
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, size=(ROWS, FEATURES)).astype("float32")
    y = rng.uniform(4, 6, size=(ROWS, UNITS)).astype("float32")
    if nan_row is not None:
        y[nan_row, 0] = np.nan
    return x, y


def dense() -> Any:
    """Two dense layers of known names."""
    layers = [
        keras.layers.Dense(HIDDEN, "tanh", name="hidden"),
        keras.layers.Dense(UNITS, name="output"),
    ]
    return keras.Sequential([keras.Input((FEATURES,)), *layers])


def compiled(
    model: Callable[[], Any], optimizer: Callable[[], Any], scope: Any, **options: Any
) -> Any:
    """A compiled model, the same each time, made in the scope of a distribution."""
    # Also forgets the distribution.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    with scope:
        made = model()
        made.compile(optimizer(), **options)
    return made


def train(model: Any, data: tuple[Any, Any], *callbacks: Any, **options: Any) -> list[np.ndarray]:
    """Fits without shuffling, and returns the weights of the model and its optimizer."""
    fixed = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model.fit(*data, callbacks=list(callbacks), **(fixed | options))
    variables = [*model.weights, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def find(model: Any, data: tuple[Any, Any], record: bool = True, **options: Any) -> Found:
    """Trains, with our callback or without."""
    blocks: list[StepBlock] = []
    ours = [TrainingDiagnostics(hooks=[blocks.append], every=EVERY, verbose=0)] if record else []
    weights = train(model, data, *ours, **options)
    return Found(weights, joined(blocks) if blocks else None, type(model.optimizer).__name__)


def assert_same_weights(ours: Found, stock: Found) -> None:
    """Bit for bit those of stock Keras."""
    assert len(ours.weights) == len(stock.weights)
    assert same(ours.weights, stock.weights)


def assert_same_record(ours: Found, alone: Found, tolerance: float = 1e-5) -> None:
    """Each number of each step is that of the run on one device."""
    mine, theirs = ours.record, alone.record
    assert mine is not None
    assert theirs is not None
    assert [v.path for v in mine.variables] == [v.path for v in theirs.variables]
    for name in ("steps", "iterations", "epochs", "batches", "sampled", "skipped"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), name)
    for table in ("values", "layer_values"):
        for name, values in getattr(theirs, table).items():
            np.testing.assert_allclose(
                getattr(mine, table)[name], values, rtol=tolerance, atol=1e-12, err_msg=name
            )
