"""A variant with its model, in this process or in a process of its own."""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import keras
from models import Workload, synthetic_data
from variants import Variant


@dataclass(frozen=True)
class Fit:
    """One `model.fit`: seconds from the call to the end of training, and bytes of the record."""

    seconds: float
    record_bytes: int


class TimedVariant(Protocol):
    """A variant that can be timed."""

    def fit(self, steps: int, num_trained: int | None = None) -> Fit: ...

    def close(self) -> None: ...


class _Stopwatch(keras.callbacks.Callback):
    """Stops the time in `on_train_end`, as the last callback.

    The return of `fit` would be too late: TensorFlow's iterators wait there until their tuner wakes
    up. It sleeps for exponentially growing times, so a slightly slower fit may wait for half a
    second more.
    """

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.stopped = time.perf_counter()


class InProcess:
    """A variant whose model is in this process."""

    def __init__(self, variant: Variant, workload: Workload, folder: Path) -> None:
        self.variant = variant
        self.workload = workload
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.model = workload.compiled(variant.prepare(self.folder / "prepared"))

    def fit(self, steps: int, num_trained: int | None = None) -> Fit:
        """Times one fit with new callbacks and an empty log directory.

        Args:
            steps: Number of batches in the data.
            num_trained: Number of batches to train on; None for all.
        """
        log_dir = Path(tempfile.mkdtemp(dir=self.folder))
        seconds = self._timed_fit(steps, num_trained, log_dir)
        record_bytes = _size(log_dir / self.variant.record)
        shutil.rmtree(log_dir)
        return Fit(seconds, record_bytes)

    def _timed_fit(self, steps: int, num_trained: int | None, log_dir: Path) -> float:
        batch_size = self.workload.batch_size
        data = synthetic_data(self.model.input_shape[1:], steps * batch_size)
        options = {"batch_size": batch_size, "steps_per_epoch": num_trained, "verbose": 0}
        stopwatch = _Stopwatch()
        gc.collect()
        start = time.perf_counter()
        callbacks = [*self.variant.callbacks(log_dir), stopwatch]
        self.model.fit(*data, callbacks=callbacks, **options)
        return stopwatch.stopped - start

    def close(self) -> None:
        """Removes the files."""
        shutil.rmtree(self.folder)


class OwnProcess:
    """A variant whose model is in another process, which is idle between the fits."""

    def __init__(self, variant: Variant, workload: Workload, folder: Path) -> None:
        self.pool = ProcessPoolExecutor(1, get_context("spawn"))
        self.pool.submit(_host, variant, workload, folder).result()

    def fit(self, steps: int, num_trained: int | None = None) -> Fit:
        """Times one fit in the other process."""
        return self.pool.submit(_hosted_fit, steps, num_trained).result()

    def close(self) -> None:
        """Ends the other process."""
        self.pool.submit(_hosted_close).result()
        self.pool.shutdown()


def create(variant: Variant, workload: Workload, folder: Path) -> TimedVariant:
    """Builds the model of a variant, in another process if the variant needs it."""
    cls = OwnProcess if variant.needs_own_process else InProcess
    return cls(variant, workload, folder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


_hosted: list[InProcess] = []


def _host(variant: Variant, workload: Workload, folder: Path) -> None:
    _hosted.append(InProcess(variant, workload, folder))


def _hosted_fit(steps: int, num_trained: int | None) -> Fit:
    return _hosted[0].fit(steps, num_trained)


def _hosted_close() -> None:
    _hosted.pop().close()
