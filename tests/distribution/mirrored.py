"""Script: trains under `tf.distribute.MirroredStrategy`, on two logical CPU devices."""

from __future__ import annotations

import contextlib
import pickle
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from keras_l4.callbacks import FlightRecorder
from tests.distribution.trained import (
    BATCH,
    CLIPNORM,
    FEATURES,
    HIDDEN,
    ROWS,
    UNITS,
    TrainingResult,
    build_compiled,
    dense_model,
    rows,
    train,
    train_and_collect,
)
from tests.recorder.harness import PrescribedGradient

DEVICES = ["CPU:0", "CPU:1"]
# Rows of the second batch. Each replica gets one half of a batch.
ROW_OF_FIRST_REPLICA, ROW_OF_SECOND_REPLICA = BATCH, BATCH + BATCH // 2


def embedding_model() -> Any:
    layers = [keras.layers.Embedding(9, 2, name="words"), keras.layers.Flatten()]
    output = keras.layers.Dense(UNITS, name="output")
    return keras.Sequential([keras.Input((3,), dtype="int32"), *layers, output])


def prescribed_model() -> Any:
    inputs = keras.Input((6,))
    return keras.Model(inputs, PrescribedGradient((2, 3), name="given")(inputs))


def word_rows() -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).integers(0, 9, (ROWS, 3)), rows()[1]


def loss_scaling_optimizer() -> Any:
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=1024.0)


def normalized_model() -> Any:
    layers = [keras.layers.Dense(HIDDEN), keras.layers.BatchNormalization()]
    return keras.Sequential([keras.Input((FEATURES,)), *layers, keras.layers.Dense(UNITS)])


@dataclass
class Case:
    """A training configuration."""

    model: Callable[[], Any] = dense_model
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam(0.01)
    data: Callable[[], tuple[Any, Any]] = rows
    options: dict[str, Any] = field(default_factory=lambda: {"loss": "mse"})
    # With the ring all-reduce of TensorFlow, Keras on CPUs cannot run eagerly, nor several steps per
    # execution.
    uses_ring_reduce: bool = False


CASES = {
    "plain": Case(uses_ring_reduce=True),
    "steps_per_execution": Case(
        data=lambda: rows(ROW_OF_SECOND_REPLICA), options={"loss": "mse", "steps_per_execution": 3}
    ),
    "embedding": Case(
        model=embedding_model, data=word_rows, optimizer=lambda: keras.optimizers.Lion(0.01)
    ),
    "accumulation": Case(
        optimizer=lambda: keras.optimizers.SGD(0.01, gradient_accumulation_steps=2),
        # Keras raises an error if gradients are accumulated in a graph under this strategy.
        options={"loss": "mse", "run_eagerly": True},
    ),
    "clipping": Case(
        model=prescribed_model,
        optimizer=lambda: keras.optimizers.SGD(0.01, global_clipnorm=CLIPNORM),
        data=lambda: (rows()[0], np.zeros(ROWS)),
        options={"loss": lambda _, prediction: prediction},
    ),
    "loss scaling": Case(optimizer=loss_scaling_optimizer, data=lambda: rows(ROW_OF_FIRST_REPLICA)),
    "not skipped": Case(optimizer=loss_scaling_optimizer, data=lambda: rows(ROW_OF_SECOND_REPLICA)),
}


def build(case: Case, strategy: Any) -> Any:
    return build_compiled(case.model, case.optimizer, strategy.scope(), **case.options)


def build_on_one_device(case: Case) -> Any:
    """Returns the model on one device; it trains eagerly, one step at a time."""
    options = {"loss": case.options["loss"], "run_eagerly": True}
    return build_compiled(case.model, case.optimizer, contextlib.nullcontext(), **options)


def count_all_reduces(strategy: Any) -> Any:
    """Counts the all-reduces that are traced; each takes a list of gradients."""
    extended = strategy.extended
    return mock.patch.object(extended, "batch_reduce_to", wraps=extended.batch_reduce_to)


def compare(case: Case, strategy: Any) -> dict[str, Any]:
    """Returns the results on two devices, without and with keras_l4, and with it on one device."""
    results: dict[str, Any] = {"num_all_reduces": {}}
    for name in ("stock", "recorded"):
        model = build(case, strategy)
        with count_all_reduces(strategy) as counter:
            results[name] = train_and_collect(model, case.data(), record=name == "recorded")
        results["num_all_reduces"][name] = counter.call_count
    results["on_one_device"] = train_and_collect(build_on_one_device(case), case.data())
    return results


def in_scope(strategy: Any) -> TrainingResult:
    """Calls `fit` in the scope of the strategy, where every new variable would be mirrored."""
    model = build(CASES["plain"], strategy)
    with strategy.scope():
        return train_and_collect(model, rows())


NORMALIZED = Case(
    model=normalized_model, optimizer=lambda: keras.optimizers.SGD(0.01, momentum=0.9)
)
# `on_nonfinite` and a comment: the configuration, and the row with a NaN in the second batch.
SKIPPED_UPDATES = {
    "skip": (NORMALIZED, ROW_OF_SECOND_REPLICA),
    "stop": (NORMALIZED, ROW_OF_FIRST_REPLICA),
    "skip, scaled": (CASES["loss scaling"], ROW_OF_SECOND_REPLICA),
    "skip, eagerly": (CASES["accumulation"], ROW_OF_SECOND_REPLICA),
}


def replica_values(model: Any, strategy: Any) -> list[np.ndarray]:
    """Returns the copies on each replica of the weights and the inner optimizer's variables."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    variables = [*model.weights, *optimizer.variables]
    return [
        value.numpy() for v in variables for value in strategy.experimental_local_results(v.value)
    ]


def skip_update(name: str, strategy: Any) -> dict[str, Any]:
    """Returns a run that skips a NaN batch, and stock Keras trained without it, or up to it."""
    case, row = SKIPPED_UPDATES[name]
    on_nonfinite = name.split(",")[0]
    model, stock = (build(case, strategy) for _ in range(2))
    is_trained = np.arange(ROWS) < BATCH
    if on_nonfinite == "skip":
        is_trained |= np.arange(ROWS) >= 2 * BATCH
    with tempfile.TemporaryDirectory() as folder:
        train(model, rows(row), FlightRecorder(folder, on_nonfinite=on_nonfinite, verbose=0))
    train(stock, tuple(part[is_trained] for part in rows()))
    return {"recorded": replica_values(model, strategy), "stock": replica_values(stock, strategy)}


def main() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    two_devices = [tf.config.LogicalDeviceConfiguration() for _ in DEVICES]
    tf.config.set_logical_device_configuration(cpu, two_devices)
    ring_strategy = tf.distribute.MirroredStrategy(DEVICES)
    one_device_strategy = tf.distribute.MirroredStrategy(
        DEVICES, cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    results: dict[str, Any] = {
        name: compare(case, ring_strategy if case.uses_ring_reduce else one_device_strategy)
        for name, case in CASES.items()
    }
    results["in scope"] = in_scope(ring_strategy)
    results["skipped updates"] = {
        name: skip_update(name, one_device_strategy) for name in SKIPPED_UPDATES
    }
    Path(sys.argv[1]).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
