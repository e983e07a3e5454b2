"""The data and the model of the scripts of this folder, and the results of one training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.records.block import StepBlock
from tests.recorder.harness import concatenate_blocks
from tests.training import same

BATCH, STEPS = 8, 4
ROWS, FEATURES, HIDDEN, UNITS = BATCH * STEPS, 6, 8, 4
EVERY = 2
CLIPNORM = 0.1


@dataclass
class TrainingResult:
    """The result of one training.

    Attributes:
        weights: Weights of the model, then the variables of its optimizer.
        record: All steps; None without keras_l4.
        optimizer: Class name of the optimizer after `fit`.
    """

    weights: list[np.ndarray]
    record: StepBlock | None
    optimizer: str


@dataclass
class ProcessResult:
    """The result of one training in one of several processes.

    Attributes:
        weights: Weights of the model.
        logs: `History.history`.
        num_batches: Number of batches that were trained.
        record: The blocks that the hooks received; None if they received none.
        error: Message of the error that `fit` raised.
        printed: Text that `fit` printed.
    """

    weights: list[np.ndarray]
    logs: dict[str, list[float]] = field(default_factory=dict)
    num_batches: int = 0
    record: StepBlock | None = None
    error: str = ""
    printed: str = ""


def rows(nan_row: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets; the target of row `nan_row` is NaN.

    All errors have the same sign, so that no gradient is a small difference of large numbers. The
    order in which devices add them then makes no difference beyond the tolerance.
    """
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, size=(ROWS, FEATURES)).astype("float32")
    y = rng.uniform(4, 6, size=(ROWS, UNITS)).astype("float32")
    if nan_row is not None:
        y[nan_row, 0] = np.nan
    return x, y


def dense_model() -> Any:
    """Returns two dense layers with fixed names."""
    layers = [
        keras.layers.Dense(HIDDEN, "tanh", name="hidden"),
        keras.layers.Dense(UNITS, name="output"),
    ]
    return keras.Sequential([keras.Input((FEATURES,)), *layers])


def build_compiled(
    build_model: Callable[[], Any], optimizer: Callable[[], Any], scope: Any, **options: Any
) -> Any:
    """Returns a compiled model, always with the same weights, built in `scope`."""
    # Resets the distribution, too.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    with scope:
        model = build_model()
        model.compile(optimizer(), **options)
    return model


def train(model: Any, data: tuple[Any, Any], *callbacks: Any, **options: Any) -> list[np.ndarray]:
    """Fits without shuffling; returns the weights of the model and the optimizer's variables."""
    fixed = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model.fit(*data, callbacks=list(callbacks), **(fixed | options))
    variables = [*model.weights, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def train_and_collect(
    model: Any, data: tuple[Any, Any], record: bool = True, **options: Any
) -> TrainingResult:
    """Trains, with `TrainingDiagnostics` if `record`."""
    blocks: list[StepBlock] = []
    callbacks = (
        [TrainingDiagnostics(hooks=[blocks.append], every=EVERY, verbose=0)] if record else []
    )
    weights = train(model, data, *callbacks, **options)
    return TrainingResult(
        weights, concatenate_blocks(blocks) if blocks else None, type(model.optimizer).__name__
    )


def assert_same_weights(recorded: TrainingResult, stock: TrainingResult) -> None:
    """Asserts that weights and optimizer variables are bit-for-bit equal."""
    assert len(recorded.weights) == len(stock.weights)
    assert same(recorded.weights, stock.weights)


def assert_same_record(
    result: TrainingResult, reference: TrainingResult, tolerance: float = 1e-5
) -> None:
    """Asserts that each number of each step is that of the reference, within `tolerance`."""
    record, expected = result.record, reference.record
    assert record is not None
    assert expected is not None
    assert [v.path for v in record.variables] == [v.path for v in expected.variables]
    for name in ("steps", "iterations", "epochs", "batches", "sampled", "skipped"):
        np.testing.assert_array_equal(getattr(record, name), getattr(expected, name), name)
    for table in ("values", "layer_values"):
        for name, values in getattr(expected, table).items():
            np.testing.assert_allclose(
                getattr(record, table)[name], values, rtol=tolerance, atol=1e-12, err_msg=name
            )
