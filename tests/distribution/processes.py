"""Script: one of two processes that train together on loopback, each with one CPU device of JAX."""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
from jax.experimental import multihost_utils

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.records.block import StepBlock
from keras_l4.session import read_schedule
from tests.distribution.meshes import DISTRIBUTIONS
from tests.distribution.trained import (
    BATCH,
    STEPS,
    ProcessResult,
    build_compiled,
    dense_model,
    rows,
)
from tests.recorder.harness import concatenate_blocks

NUM_PROCESSES = 2


class BatchCounter(keras.callbacks.Callback):
    """Counts the batches that are trained."""

    num_batches = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.num_batches += 1


def process_rows(kind: str, process: int, nan_row: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns this process' part of each batch; whole batches if they are not split."""
    data = rows(nan_row)
    if kind == "ModelParallel":
        return data
    half = BATCH // NUM_PROCESSES
    parts = [x.reshape(STEPS, NUM_PROCESSES, half, -1)[:, process] for x in data]
    return tuple(part.reshape(STEPS * half, -1) for part in parts)


def train(kind: str, process: int, *callbacks: Any, nan_row: int | None = None) -> ProcessResult:
    """Trains two epochs, or less if a callback stops."""
    distribution = DISTRIBUTIONS[kind](keras.distribution.list_devices("cpu"))
    optimizer = lambda: keras.optimizers.Adam(0.01)  # noqa: E731
    model = build_compiled(dense_model, optimizer, distribution.scope(), loss="mse")
    data, counter, output = process_rows(kind, process, nan_row), BatchCounter(), io.StringIO()
    result = ProcessResult([])
    fixed = {"batch_size": len(data[0]) // STEPS, "shuffle": False, "verbose": 0, "epochs": 2}
    with distribution.scope(), contextlib.redirect_stdout(output):
        try:
            history = model.fit(*data, callbacks=[counter, *callbacks], **fixed)
            result.logs = history.history
        except FloatingPointError as error:
            result.error = str(error)
        # Gathering weights that are split over the processes is a collective operation.
        result.weights = [
            multihost_utils.process_allgather(w.value, tiled=True) for w in model.weights
        ]
    result.num_batches, result.printed = counter.num_batches, output.getvalue()
    return result


def train_with_record(kind: str, process: int, log_dir: Path) -> ProcessResult:
    """Trains with all features of keras_l4, in a log directory that the processes share."""
    blocks: list[StepBlock] = []
    diagnostics = TrainingDiagnostics(log_dir, hooks=[blocks.append], every=2, histogram_freq=1)
    result = train(kind, process, diagnostics)
    result.record = concatenate_blocks(blocks) if blocks else None
    return result


def train_on_nan(kind: str, process: int, on_nonfinite: Any) -> ProcessResult:
    """Trains with a NaN in the first step. Only the second process considers its reads overdue."""
    seconds = 0.0 if process else 1e9
    diagnostics = TrainingDiagnostics(on_nonfinite=on_nonfinite, flush_every=STEPS + 1)
    with mock.patch.object(read_schedule, "SECONDS_BETWEEN_READS", seconds):
        return train(kind, process, diagnostics, nan_row=0)


def main() -> None:
    out, process, address, folder = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    keras.utils.set_random_seed(0)
    keras.distribution.initialize(address, NUM_PROCESSES, process)
    results = {}
    for kind, on_nonfinite in (("DataParallel", "stop"), ("ModelParallel", "raise")):
        results[kind] = {
            "stock": train(kind, process),
            "recorded": train_with_record(kind, process, Path(folder) / kind),
            on_nonfinite: train_on_nan(kind, process, on_nonfinite),
        }
    out.write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
