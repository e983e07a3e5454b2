"""Trains under `tf.distribute.MirroredStrategy`, on two logical CPU devices."""

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
    Found,
    compiled,
    dense,
    find,
    rows,
    train,
)
from tests.recorder.recorded import Prescribed

DEVICES = ["CPU:0", "CPU:1"]
# A batch is cut in two halves, one per replica.
ON_THE_FIRST, ON_THE_SECOND = BATCH, BATCH + BATCH // 2


def embedding() -> Any:
    layers = [keras.layers.Embedding(9, 2, name="words"), keras.layers.Flatten()]
    output = keras.layers.Dense(UNITS, name="output")
    return keras.Sequential([keras.Input((3,), dtype="int32"), *layers, output])


def prescribed() -> Any:
    inputs = keras.Input((6,))
    return keras.Model(inputs, Prescribed((2, 3), name="given")(inputs))


def words() -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).integers(0, 9, (ROWS, 3)), rows()[1]


def scaled() -> Any:
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=1024.0)


def normalized() -> Any:
    layers = [keras.layers.Dense(HIDDEN), keras.layers.BatchNormalization()]
    return keras.Sequential([keras.Input((FEATURES,)), *layers, keras.layers.Dense(UNITS)])


@dataclass
class Case:
    """One way of training."""

    model: Callable[[], Any] = dense
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam(0.01)
    data: Callable[[], tuple[Any, Any]] = rows
    options: dict[str, Any] = field(default_factory=lambda: {"loss": "mse"})
    # Keras cannot run several steps in one execution, nor eagerly, with TensorFlow's ring of CPUs.
    in_a_ring: bool = False


CASES = {
    "plain": Case(in_a_ring=True),
    "steps_per_execution": Case(
        data=lambda: rows(ON_THE_SECOND), options={"loss": "mse", "steps_per_execution": 3}
    ),
    "embedding": Case(model=embedding, data=words, optimizer=lambda: keras.optimizers.Lion(0.01)),
    "accumulation": Case(
        optimizer=lambda: keras.optimizers.SGD(0.01, gradient_accumulation_steps=2),
        # In a graph Keras refuses to accumulate under this strategy.
        options={"loss": "mse", "run_eagerly": True},
    ),
    "clipping": Case(
        model=prescribed,
        optimizer=lambda: keras.optimizers.SGD(0.01, global_clipnorm=CLIPNORM),
        data=lambda: (rows()[0], np.zeros(ROWS)),
        options={"loss": lambda _, prediction: prediction},
    ),
    "loss scaling": Case(optimizer=scaled, data=lambda: rows(ON_THE_FIRST)),
    "not skipped": Case(optimizer=scaled, data=lambda: rows(ON_THE_SECOND)),
}


def build(case: Case, strategy: Any) -> Any:
    return compiled(case.model, case.optimizer, strategy.scope(), **case.options)


def build_alone(case: Case) -> Any:
    """The same on one device, step by step: nothing is traced."""
    options = {"loss": case.options["loss"], "run_eagerly": True}
    return compiled(case.model, case.optimizer, contextlib.nullcontext(), **options)


def sums(strategy: Any) -> Any:
    """Counts the all-reduces that are traced, each of a list of gradients."""
    extended = strategy.extended
    return mock.patch.object(extended, "batch_reduce_to", wraps=extended.batch_reduce_to)


def compare(case: Case, strategy: Any) -> dict[str, Any]:
    """Stock Keras and our callback on two devices, and our callback on one."""
    found: dict[str, Any] = {"num_sums": {}}
    for name in ("stock", "ours"):
        model = build(case, strategy)
        with sums(strategy) as counted:
            found[name] = find(model, case.data(), record=name == "ours")
        found["num_sums"][name] = counted.call_count
    found["alone"] = find(build_alone(case), case.data())
    return found


def in_scope(strategy: Any) -> Found:
    """`fit` is called where the strategy would mirror every variable that is created."""
    model = build(CASES["plain"], strategy)
    with strategy.scope():
        return find(model, rows())


NORMALIZED = Case(model=normalized, optimizer=lambda: keras.optimizers.SGD(0.01, momentum=0.9))
# How updates are held back, of what, and where a NaN stands in the second batch.
SKIPPED_BY_GUARD = {
    "skip": (NORMALIZED, ON_THE_SECOND),
    "stop": (NORMALIZED, ON_THE_FIRST),
    "skip, scaled": (CASES["loss scaling"], ON_THE_SECOND),
    "skip, eagerly": (CASES["accumulation"], ON_THE_SECOND),
}


def copies(model: Any, strategy: Any) -> list[np.ndarray]:
    """What each replica has of the weights and of what the inner optimizer keeps."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    variables = [*model.weights, *optimizer.variables]
    return [
        copy.numpy() for v in variables for copy in strategy.experimental_local_results(v.value)
    ]


def held_back(how: str, strategy: Any) -> dict[str, Any]:
    """A run that was not to apply a bad batch, and stock Keras without it, or up to it."""
    case, row = SKIPPED_BY_GUARD[how]
    on_nonfinite = how.split(",")[0]
    model, stock = (build(case, strategy) for _ in range(2))
    good = np.arange(ROWS) < BATCH
    if on_nonfinite == "skip":
        good |= np.arange(ROWS) >= 2 * BATCH
    with tempfile.TemporaryDirectory() as folder:
        train(model, rows(row), FlightRecorder(folder, on_nonfinite=on_nonfinite, verbose=0))
    train(stock, tuple(part[good] for part in rows()))
    return {"ours": copies(model, strategy), "stock": copies(stock, strategy)}


def main() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration() for _ in DEVICES]
    tf.config.set_logical_device_configuration(cpu, two)
    ring = tf.distribute.MirroredStrategy(DEVICES)
    through_one = tf.distribute.MirroredStrategy(
        DEVICES, cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    found: dict[str, Any] = {
        name: compare(case, ring if case.in_a_ring else through_one) for name, case in CASES.items()
    }
    found["in scope"] = in_scope(ring)
    found["held back"] = {how: held_back(how, through_one) for how in SKIPPED_BY_GUARD}
    Path(sys.argv[1]).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main()
