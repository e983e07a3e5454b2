"""After `fit` its data is freed as without callbacks, before garbage is collected."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from keras_l4 import callbacks
from keras_l4.forensics.batch_buffer import BatchBuffer
from keras_l4.keras_internals.fit_exit import fit_arguments
from tests.training import STEPS, build, train

CALLBACKS: dict[str, Callable[[Path], list[Any]]] = {
    "diagnostics": lambda folder: [callbacks.TrainingDiagnostics(folder, verbose=0)],
    "monitor": lambda _: [callbacks.NonFiniteMonitor(verbose=0)],
    "recorder": lambda folder: [callbacks.FlightRecorder(folder, verbose=0)],
    "skipping": lambda folder: [
        callbacks.FlightRecorder(folder, on_nonfinite="skip", verbose=0),
        callbacks.TrainingDiagnostics(verbose=0),
    ],
}


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class FitData(keras.callbacks.Callback):
    """Holds weak references to the data of the running `fit`."""

    def on_train_begin(self, logs: Any = None) -> None:
        arguments = fit_arguments()
        self.refs = [weakref.ref(arguments[name]) for name in ("x", "y", "epoch_iterator")]

    @property
    def are_freed(self) -> list[bool]:
        return [ref() is None for ref in self.refs]


class Interrupt(keras.callbacks.Callback):
    """Raises a KeyboardInterrupt after some steps, as a user may do."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.optimizer.iterations == self.after:
            raise KeyboardInterrupt


# Keras on torch holds the arrays in reference cycles, but not the iterator.
FREED_BY_KERAS = [keras.backend.backend() != "torch"] * 2 + [True]


def fit(*ours: Any, nan_at: int | None = None) -> tuple[FitData, Any]:
    """Fits, and returns references to the data, and the model, which is not to be freed."""
    model, data = build(), FitData()
    with contextlib.suppress(KeyboardInterrupt):
        train(model, data, *ours, epochs=2, nan_at=nan_at)
    return data, model


def test_keras_frees_the_data_without_callbacks() -> None:
    assert fit()[0].are_freed == FREED_BY_KERAS


@pytest.mark.parametrize("name", CALLBACKS)
def test_data_is_freed_after_fit(tmp_path: Path, name: str) -> None:
    ours = CALLBACKS[name](tmp_path)
    data, model = fit(*ours)
    assert model.optimizer.iterations == 2 * STEPS
    assert data.are_freed == FREED_BY_KERAS
    gc.collect()
    assert data.are_freed == [True] * 3
    assert ours


@pytest.mark.parametrize("name", CALLBACKS)
def test_data_is_freed_after_fit_raised(tmp_path: Path, name: str) -> None:
    ours = CALLBACKS[name](tmp_path)
    data, model = fit(*ours, Interrupt(STEPS + 1))
    assert model.optimizer.iterations == STEPS + 1
    # The iterator of Keras, interrupted in the middle of an epoch, references itself.
    gc.collect()
    assert data.are_freed == [True] * 3
    assert ours


def test_data_is_freed_if_the_final_read_raises_too(tmp_path: Path) -> None:
    ours = [
        callbacks.NonFiniteMonitor(on_nonfinite="raise", verbose=0),
        callbacks.TrainingDiagnostics(tmp_path, verbose=0),
    ]
    data, _model = fit(*ours, Interrupt(1), nan_at=0)
    gc.collect()
    assert data.are_freed == [True] * 3
    assert ours


class BufferedBatches(keras.callbacks.Callback):
    """Counts the batches in all batch buffers at each step."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.counts: list[int] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.counts.append(num_buffered())


def num_buffered() -> int:
    return sum(len(obj.batches) for obj in gc.get_objects() if type(obj) is BatchBuffer)


def test_batches_are_buffered_while_fit_runs(tmp_path: Path) -> None:
    recorder, buffered = callbacks.FlightRecorder(tmp_path, verbose=0), BufferedBatches()
    for _ in range(2):
        fit(recorder, buffered)
        assert buffered.counts[0] >= 1
        assert buffered.counts[-1] >= 2 * STEPS
        assert num_buffered() == 0


@pytest.mark.parametrize("recorder_first", [True, False])
def test_batches_are_still_buffered_at_the_final_read(tmp_path: Path, recorder_first: bool) -> None:
    recorder = callbacks.FlightRecorder(tmp_path, verbose=0)
    ours = [recorder, callbacks.TrainingDiagnostics(verbose=0)]
    fit(*ours[:: 1 if recorder_first else -1], Interrupt(1), nan_at=0)
    assert recorder.capsule is not None
    assert num_buffered() == 0
