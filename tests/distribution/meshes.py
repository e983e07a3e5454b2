"""Script: trains on a mesh of two host devices of JAX."""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tests.distribution.programs import parse_collectives, record_programs
from tests.distribution.trained import (
    BATCH,
    TrainingResult,
    build_compiled,
    dense_model,
    rows,
    train_and_collect,
)

DEVICES = ["cpu:0", "cpu:1"]


def data_parallel(devices: Any = DEVICES) -> Any:
    return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)


def model_parallel(devices: Any = DEVICES) -> Any:
    """Splits kernels and biases; the name of a ring buffer of keras_l4 matches a pattern, too."""
    mesh = keras.distribution.DeviceMesh((1, 2), ["batch", "model"], devices)
    layouts = keras.distribution.LayoutMap(mesh)
    layouts[".*(kernel|floats)"] = (None, "model")
    layouts[".*bias"] = ("model",)
    return keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False
    )


DISTRIBUTIONS = {"DataParallel": data_parallel, "ModelParallel": model_parallel}


@dataclass
class Case:
    """A training configuration."""

    optimizer: Callable[[], Any]
    nan_row: int | None = None
    steps_per_execution: int = 1

    def build(self, scope: Any) -> Any:
        options = {"loss": "mse", "steps_per_execution": self.steps_per_execution}
        return build_compiled(dense_model, self.optimizer, scope, **options)


CASES = {
    "plain": Case(lambda: keras.optimizers.Adam(0.01)),
    "clipping and accumulation": Case(
        lambda: keras.optimizers.Adam(0.01, global_clipnorm=0.1, gradient_accumulation_steps=2),
        steps_per_execution=3,
    ),
    "measured": Case(lambda: keras.optimizers.Lion(0.01, weight_decay=0.1)),
    "loss scaling": Case(
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)), nan_row=BATCH
    ),
}


def compare(case: Case, distribution: Any) -> dict[str, Any]:
    """Returns the results on two devices, without and with keras_l4."""
    results: dict[str, Any] = {"collectives": {}}
    for name in ("stock", "recorded"):
        model = case.build(distribution.scope())
        with distribution.scope(), record_programs() as programs:
            results[name] = train_and_collect(model, rows(case.nan_row), record=name == "recorded")
        results["collectives"][name] = parse_collectives(programs[0])
    return results


def on_one_device(case: Case) -> TrainingResult:
    """Returns the result with keras_l4 on one device."""
    return train_and_collect(case.build(contextlib.nullcontext()), rows(case.nan_row))


def main() -> None:
    results = {}
    for name, case in CASES.items():
        reference = {"on_one_device": on_one_device(case)}
        for kind, distribution in DISTRIBUTIONS.items():
            results[f"{kind}, {name}"] = compare(case, distribution()) | reference
    Path(sys.argv[1]).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
