"""Who is measured: stock Keras (twice, which shows the noise) and keras_l4."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
from promise import BASELINE, CONTROL, SUBJECT, UNJUDGED

Callbacks = list[keras.callbacks.Callback]


def plain_model(_folder: Path) -> type[keras.Model]:
    """Nothing to prepare."""
    return keras.Model


def no_callbacks(_log_dir: Path) -> Callbacks:
    """Nothing is watched."""
    return []


def training_diagnostics(log_dir: Path, **options: Any) -> Callbacks:
    """keras_l4, by default with its default settings."""
    try:
        from keras_l4.callbacks import TrainingDiagnostics
    except ImportError as error:
        raise ImportError(
            f"The contender '{SUBJECT}' needs keras_l4.callbacks.TrainingDiagnostics, which could "
            f"not be imported ({error}). Install the repository first: pip install -e ."
        ) from error
    return [TrainingDiagnostics(str(log_dir), verbose=0, **options)]


def flight_recorder(log_dir: Path, **options: Any) -> Callbacks:
    """What it takes to run the last steps again."""
    from keras_l4.callbacks import FlightRecorder

    return [FlightRecorder(str(log_dir), verbose=0, **options)]


@dataclass(frozen=True)
class Contender:
    """One way to train.

    Args:
        name: As it is called in the tables.
        prepare: Called once with a folder of its own before the model is built; returns the
            class to build it with.
        callbacks: Called before every fit with a fresh log directory, as users do.
        own_process: True for what switches state of the whole process.
        record: The part of the log directory whose size is reported.
    """

    name: str
    prepare: Callable[[Path], type[keras.Model]] = plain_model
    callbacks: Callable[[Path], Callbacks] = no_callbacks
    own_process: bool = False
    record: str = "."


ESSENTIAL = [
    Contender(BASELINE),
    Contender(CONTROL),
    Contender(SUBJECT, callbacks=training_diagnostics, record="diagnostics"),
    Contender(UNJUDGED, callbacks=partial(training_diagnostics, rules=None), record="diagnostics"),
]


RECORDERS = [
    Contender("FlightRecorder", callbacks=flight_recorder),
    Contender("FlightRecorder, skip", callbacks=partial(flight_recorder, on_nonfinite="skip")),
]


def alternatives() -> list[Contender]:
    """Flight recorders, and what the active backend offers today."""
    offered = importlib.import_module(f"{keras.backend.backend()}_alternatives")
    return [*RECORDERS, *offered.ALTERNATIVES]
