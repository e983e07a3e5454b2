"""When `fit` has ended, what it was given is free, as without us, before garbage is collected."""

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
from keras_l4.forensics.tape import BatchBuffer
from keras_l4.keras_internals.fit import fit_arguments
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


class Given(keras.callbacks.Callback):
    """Remembers what the `fit` that is running holds, without holding it."""

    def on_train_begin(self, logs: Any = None) -> None:
        given = fit_arguments()
        self.refs = [weakref.ref(given[name]) for name in ("x", "y", "epoch_iterator")]

    @property
    def is_free(self) -> list[bool]:
        return [ref() is None for ref in self.refs]


class Interrupt(keras.callbacks.Callback):
    """What a user's own callback may do."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.optimizer.iterations == self.after:
            raise KeyboardInterrupt


# Keras itself keeps arrays on torch, in circles, but not what it iterates over.
FREE = [keras.backend.backend() != "torch"] * 2 + [True]


def fitted(*ours: Any, nan_at: int | None = None) -> tuple[Given, Any]:
    """What `fit` was given, and the model, which is to stay."""
    model, given = build(), Given()
    with contextlib.suppress(KeyboardInterrupt):
        train(model, given, *ours, epochs=2, nan_at=nan_at)
    return given, model


def test_stock() -> None:
    assert fitted()[0].is_free == FREE


@pytest.mark.parametrize("name", CALLBACKS)
def test_when_fit_has_ended(tmp_path: Path, name: str) -> None:
    ours = CALLBACKS[name](tmp_path)
    given, model = fitted(*ours)
    assert model.optimizer.iterations == 2 * STEPS
    assert given.is_free == FREE
    gc.collect()
    assert given.is_free == [True] * 3
    assert ours


@pytest.mark.parametrize("name", CALLBACKS)
def test_when_fit_has_raised(tmp_path: Path, name: str) -> None:
    ours = CALLBACKS[name](tmp_path)
    given, model = fitted(*ours, Interrupt(STEPS + 1))
    assert model.optimizer.iterations == STEPS + 1
    # Keras' own iterator, left in the middle of an epoch, holds itself.
    gc.collect()
    assert given.is_free == [True] * 3
    assert ours


def test_when_the_last_look_raises_too(tmp_path: Path) -> None:
    ours = [
        callbacks.NonFiniteMonitor(action="raise", verbose=0),
        callbacks.TrainingDiagnostics(tmp_path, verbose=0),
    ]
    given, _model = fitted(*ours, Interrupt(1), nan_at=0)
    gc.collect()
    assert given.is_free == [True] * 3
    assert ours


class Tapes(keras.callbacks.Callback):
    """How many batches all tapes hold at each step."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.held: list[int] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.held.append(num_taped())


def num_taped() -> int:
    return sum(len(thing.batches) for thing in gc.get_objects() if type(thing) is BatchBuffer)


def test_a_tape_is_kept_while_fit_runs(tmp_path: Path) -> None:
    recorder, tapes = callbacks.FlightRecorder(tmp_path, verbose=0), Tapes()
    for _ in range(2):
        fitted(recorder, tapes)
        assert tapes.held[0] >= 1
        assert tapes.held[-1] >= 2 * STEPS
        assert num_taped() == 0


@pytest.mark.parametrize("recorder_first", [True, False])
def test_a_tape_is_there_when_the_last_look_needs_it(tmp_path: Path, recorder_first: bool) -> None:
    recorder = callbacks.FlightRecorder(tmp_path, verbose=0)
    ours = [recorder, callbacks.TrainingDiagnostics(verbose=0)]
    fitted(*ours[:: 1 if recorder_first else -1], Interrupt(1), nan_at=0)
    assert recorder.capsule is not None
    assert num_taped() == 0
