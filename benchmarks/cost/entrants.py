"""A contender with its own model: in this process, or alone in another one."""

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
from contenders import Contender
from models import Workload, synthetic_data


@dataclass(frozen=True)
class Fit:
    """One `model.fit`: wall time in seconds, from call to end of training, and bytes recorded."""

    seconds: float
    record_bytes: int


class Entrant(Protocol):
    """Whatever can be timed."""

    def fit(self, steps: int, run: int | None = None) -> Fit: ...

    def close(self) -> None: ...


class _Stopwatch(keras.callbacks.Callback):
    """The last callback, which sees the others end.

    It does not see `fit` return: TensorFlow's iterators end there, each as soon as its tuner wakes,
    which sleeps twice as long each time. What is a little slower waits half a second more.
    """

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.stopped = time.perf_counter()


class InProcess:
    """A contender whose model lives in this process."""

    def __init__(self, contender: Contender, workload: Workload, folder: Path) -> None:
        self.contender = contender
        self.workload = workload
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.model = workload.compiled(contender.prepare(self.folder / "prepared"))

    def fit(self, steps: int, run: int | None = None) -> Fit:
        """Times one fit with new callbacks and a fresh log directory.

        Args:
            steps: So many batches it is given.
            run: So many of them it trains on; None for all.
        """
        log_dir = Path(tempfile.mkdtemp(dir=self.folder))
        seconds = self._timed_fit(steps, run, log_dir)
        record_bytes = _size(log_dir / self.contender.record)
        shutil.rmtree(log_dir)
        return Fit(seconds, record_bytes)

    def _timed_fit(self, steps: int, run: int | None, log_dir: Path) -> float:
        batch_size = self.workload.batch_size
        data = synthetic_data(self.model.input_shape[1:], steps * batch_size)
        options = {"batch_size": batch_size, "steps_per_epoch": run, "verbose": 0}
        stopwatch = _Stopwatch()
        gc.collect()
        start = time.perf_counter()
        callbacks = [*self.contender.callbacks(log_dir), stopwatch]
        self.model.fit(*data, callbacks=callbacks, **options)
        return stopwatch.stopped - start

    def close(self) -> None:
        """Removes what was written."""
        shutil.rmtree(self.folder)


class OwnProcess:
    """A contender whose model lives in a process of its own, which idles between its turns."""

    def __init__(self, contender: Contender, workload: Workload, folder: Path) -> None:
        self.pool = ProcessPoolExecutor(1, get_context("spawn"))
        self.pool.submit(_host, contender, workload, folder).result()

    def fit(self, steps: int, run: int | None = None) -> Fit:
        """The time is taken in the other process."""
        return self.pool.submit(_hosted_fit, steps, run).result()

    def close(self) -> None:
        """Ends the other process."""
        self.pool.submit(_hosted_close).result()
        self.pool.shutdown()


def enter(contender: Contender, workload: Workload, folder: Path) -> Entrant:
    """Builds the contender's model where it has to live."""
    entrant = OwnProcess if contender.own_process else InProcess
    return entrant(contender, workload, folder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


_hosted: list[InProcess] = []


def _host(contender: Contender, workload: Workload, folder: Path) -> None:
    _hosted.append(InProcess(contender, workload, folder))


def _hosted_fit(steps: int, run: int | None) -> Fit:
    return _hosted[0].fit(steps, run)


def _hosted_close() -> None:
    _hosted.pop().close()
