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
from tests.training import BATCH, STEPS, build, rows

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


class Interrupt(keras.callbacks.Callback):
    """What a user's own callback may do."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt


def is_free(*ours: Any) -> list[bool]:
    """Of inputs and targets, while the model and the callbacks stay."""
    x, y = rows()
    held = [weakref.ref(x), weakref.ref(y)]
    model = build()
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0, callbacks=list(ours))
    del x, y
    assert model.optimizer.iterations == 2 * STEPS
    return [ref() is None for ref in held]


@pytest.mark.parametrize("name", CALLBACKS)
def test_arrays(tmp_path: Path, name: str) -> None:
    assert is_free(*CALLBACKS[name](tmp_path)) == is_free()


@pytest.mark.parametrize("name", CALLBACKS)
def test_arrays_where_fit_raises(tmp_path: Path, name: str) -> None:
    assert is_free(*CALLBACKS[name](tmp_path), Interrupt()) == is_free(Interrupt())
