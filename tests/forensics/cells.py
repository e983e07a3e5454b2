"""Cells of the matrix: a cause, how the step is run, the kind of model; on the active backend."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import keras

from keras_l4 import Replay, replay
from keras_l4.callbacks import FlightRecorder
from tests.forensics.causes import BATCH, CAUSES, model, rows
from tests.forensics.sick import ARCHITECTURES

COMPILED = {"jit_compile": True}
MODES: dict[str, dict[str, Any]] = {
    "tensorflow": {
        "compiled": COMPILED,
        "graph": {"jit_compile": False},
        "eager": {"run_eagerly": True},
    },
    "jax": {"compiled": COMPILED, "eager": {"jit_compile": False}},
    # What torch compiles takes minutes.
    "torch": {"eager": {"jit_compile": False}},
}[keras.backend.backend()]


class Cell(NamedTuple):
    """A cell: keys of `CAUSES` and `MODES`, and one of `ARCHITECTURES`."""

    cause: str
    mode: str
    architecture: str


ALL = [Cell(*cell) for cell in itertools.product(CAUSES, MODES, ARCHITECTURES)]


def some() -> list[Cell]:
    """Each cause once, a third of them not eagerly, in models of all kinds; all where it is quick."""
    traced = [mode for mode in MODES if mode != "eager"]
    if not traced:
        return ALL
    modes = [traced[i // 3 % len(traced)] if i % 3 == 0 else "eager" for i in range(len(CAUSES))]
    return [*map(Cell, CAUSES, modes, itertools.cycle(ARCHITECTURES))]


def recorded(patient: Any, x: Any, y: Any, folder: Path) -> Path:
    """The capsule of a `fit`."""
    recorder = FlightRecorder(folder, verbose=0)
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    patient.fit(x, y, callbacks=[recorder], **options)
    assert recorder.capsule is not None
    return recorder.capsule


def check(cell: Cell, folder: Path) -> Replay:
    """Trains and replays it; an AssertionError says what was named wrongly."""
    cause = CAUSES[cell.cause]
    patient = model(cause, cell.architecture, **MODES[cell.mode])
    capsule = recorded(patient, *rows(cause), folder)
    # A model that has to be called to know its layers cannot be made from its configuration.
    result = replay(capsule, patient if cell.architecture == "subclassed" else None)
    assert result.birth is not None
    layer = result.birth.layer.rpartition("/")[2]
    assert (result.step, result.birth.phase, layer) == (cause.step, cause.phase, cause.layer)
    assert result.birth.operation in cause.operation
    assert result.reproduced, str(result)
    return result
