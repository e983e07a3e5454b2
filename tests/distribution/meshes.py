"""Trains on a mesh of two host devices of JAX."""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tests.distribution.programs import collectives, compiled_steps
from tests.distribution.trained import BATCH, Found, compiled, dense, find, rows

DEVICES = ["cpu:0", "cpu:1"]


def data_parallel(devices: Any = DEVICES) -> Any:
    return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)


def model_parallel(devices: Any = DEVICES) -> Any:
    """Kernels and biases split over the devices; and by its name, a ring of ours would be."""
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
    """One way of training."""

    optimizer: Callable[[], Any]
    nan_row: int | None = None
    steps_per_execution: int = 1

    def build(self, scope: Any) -> Any:
        options = {"loss": "mse", "steps_per_execution": self.steps_per_execution}
        return compiled(dense, self.optimizer, scope, **options)


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
    """Stock Keras and our callback on two devices."""
    found: dict[str, Any] = {"collectives": {}}
    for name in ("stock", "ours"):
        model = case.build(distribution.scope())
        with distribution.scope(), compiled_steps() as texts:
            found[name] = find(model, rows(case.nan_row), record=name == "ours")
        found["collectives"][name] = collectives(texts[0])
    return found


def alone(case: Case) -> Found:
    """Our callback on one device."""
    return find(case.build(contextlib.nullcontext()), rows(case.nan_row))


def main() -> None:
    found = {}
    for name, case in CASES.items():
        on_one = {"alone": alone(case)}
        for kind, distribution in DISTRIBUTIONS.items():
            found[f"{kind}, {name}"] = compare(case, distribution()) | on_one
    Path(sys.argv[1]).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main()
