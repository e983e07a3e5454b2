"""The matrix of faults, ways of running a step, and architectures, on the active backend."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import keras

from keras_l4 import Replay, replay
from keras_l4.callbacks import FlightRecorder
from tests.forensics.faults import BATCH, FAULTS, build, rows
from tests.forensics.faulty import ARCHITECTURES

COMPILED = {"jit_compile": True}
MODES: dict[str, dict[str, Any]] = {
    "tensorflow": {
        "compiled": COMPILED,
        "graph": {"jit_compile": False},
        "eager": {"run_eagerly": True},
    },
    "jax": {"compiled": COMPILED, "eager": {"jit_compile": False}},
    # Compilation takes minutes on torch.
    "torch": {"eager": {"jit_compile": False}},
}[keras.backend.backend()]


class Cell(NamedTuple):
    """A cell of the matrix: a key of `FAULTS`, one of `MODES`, and one of `ARCHITECTURES`."""

    fault: str
    mode: str
    architecture: str


ALL_CELLS = [Cell(*cell) for cell in itertools.product(FAULTS, MODES, ARCHITECTURES)]


def select_cells() -> list[Cell]:
    """Returns a part of the matrix that takes little time; on torch, all of it.

    Each fault is there once, a third of them not eagerly, in models of all architectures.
    """
    traced = [mode for mode in MODES if mode != "eager"]
    if not traced:
        return ALL_CELLS
    modes = [traced[i // 3 % len(traced)] if i % 3 == 0 else "eager" for i in range(len(FAULTS))]
    return [*map(Cell, FAULTS, modes, itertools.cycle(ARCHITECTURES))]


def record(model: Any, x: Any, y: Any, folder: Path) -> Path:
    """Trains a model with a flight recorder and returns the capsule."""
    recorder = FlightRecorder(folder, verbose=0)
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model.fit(x, y, callbacks=[recorder], **options)
    assert recorder.capsule is not None
    return recorder.capsule


def check(cell: Cell, folder: Path) -> Replay:
    """Trains the model of a cell, replays it, and asserts that the origin is the expected one."""
    fault = FAULTS[cell.fault]
    model = build(fault, cell.architecture, **MODES[cell.mode])
    capsule = record(model, *rows(fault), folder)
    # A subclassed model without a configuration of its layers cannot be restored from the capsule.
    result = replay(capsule, model if cell.architecture == "subclassed" else None)
    assert result.origin is not None
    layer = result.origin.layer.rpartition("/")[2]
    assert (result.step, result.origin.phase, layer) == (fault.step, fault.phase, fault.layer)
    assert result.origin.operation in fault.operation
    assert result.is_reproduced, str(result)
    return result
