"""One of two processes that train together on loopback, each with one CPU device of JAX."""

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
from keras_l4.session import read_schedule as _pace
from tests.distribution.meshes import DISTRIBUTIONS
from tests.distribution.trained import BATCH, STEPS, Seen, compiled, dense, rows
from tests.recorder.recorded import joined

PROCESSES = 2


class Batches(keras.callbacks.Callback):
    """Counts them."""

    number = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.number += 1


def share(kind: str, process: int, nan_row: int | None) -> tuple[np.ndarray, np.ndarray]:
    """This process' part of each batch; all of it where the batch is not split."""
    data = rows(nan_row)
    if kind == "ModelParallel":
        return data
    half = BATCH // PROCESSES
    parts = [x.reshape(STEPS, PROCESSES, half, -1)[:, process] for x in data]
    return tuple(part.reshape(STEPS * half, -1) for part in parts)


def train(kind: str, process: int, *ours: Any, nan_row: int | None = None) -> Seen:
    """Two epochs, which our callback may end."""
    distribution = DISTRIBUTIONS[kind](keras.distribution.list_devices("cpu"))
    optimizer = lambda: keras.optimizers.Adam(0.01)  # noqa: E731
    model = compiled(dense, optimizer, distribution.scope(), loss="mse")
    data, batches, said = share(kind, process, nan_row), Batches(), io.StringIO()
    seen = Seen([])
    fixed = {"batch_size": len(data[0]) // STEPS, "shuffle": False, "verbose": 0, "epochs": 2}
    with distribution.scope(), contextlib.redirect_stdout(said):
        try:
            history = model.fit(*data, callbacks=[batches, *ours], **fixed)
            seen.logs = history.history
        except FloatingPointError as error:
            seen.error = str(error)
        # Weights that are split over the processes are put together by all of them.
        seen.weights = [
            multihost_utils.process_allgather(w.value, tiled=True) for w in model.weights
        ]
    seen.num_batches, seen.printed = batches.number, said.getvalue()
    return seen


def recorded(kind: str, process: int, log_dir: Path) -> Seen:
    """All that we do, in a folder that the processes share."""
    blocks: list[StepBlock] = []
    diagnostics = TrainingDiagnostics(log_dir, hooks=[blocks.append], every=2, histogram_freq=1)
    seen = train(kind, process, diagnostics)
    seen.record = joined(blocks) if blocks else None
    return seen


def ended(kind: str, process: int, action: Any) -> Seen:
    """A NaN in the first step. The clock of the second process runs ahead."""
    seconds = 0.0 if process else 1e9
    diagnostics = TrainingDiagnostics(action=action, flush_every=STEPS + 1)
    with mock.patch.object(_pace, "SECONDS_BETWEEN_READS", seconds):
        return train(kind, process, diagnostics, nan_row=0)


def main() -> None:
    out, process, address, folder = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    keras.utils.set_random_seed(0)
    keras.distribution.initialize(address, PROCESSES, process)
    found = {}
    for kind, action in (("DataParallel", "stop"), ("ModelParallel", "raise")):
        found[kind] = {
            "stock": train(kind, process),
            "ours": recorded(kind, process, Path(folder) / kind),
            action: ended(kind, process, action),
        }
    out.write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main()
