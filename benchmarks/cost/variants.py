"""The variants of training that are timed: stock Keras and keras_l4.

Stock Keras is timed twice; the difference shows the noise of the machine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
from budgets import BASELINE, CONTROL, SUBJECT, WITHOUT_RULES

Callbacks = list[keras.callbacks.Callback]


def plain_model(_folder: Path) -> type[keras.Model]:
    """Prepares nothing."""
    return keras.Model


def no_callbacks(_log_dir: Path) -> Callbacks:
    """Returns no callbacks."""
    return []


def training_diagnostics(log_dir: Path, **options: Any) -> Callbacks:
    """Returns the `TrainingDiagnostics` callback, by default with its default arguments."""
    try:
        from keras_l4.callbacks import TrainingDiagnostics
    except ImportError as error:
        raise ImportError(
            f"The variant '{SUBJECT}' needs keras_l4.callbacks.TrainingDiagnostics, which could "
            f"not be imported ({error}). Install the repository first: pip install -e ."
        ) from error
    return [TrainingDiagnostics(str(log_dir), verbose=0, **options)]


def flight_recorder(log_dir: Path, **options: Any) -> Callbacks:
    """Returns the `FlightRecorder` callback."""
    from keras_l4.callbacks import FlightRecorder

    return [FlightRecorder(str(log_dir), verbose=0, **options)]


@dataclass(frozen=True)
class Variant:
    """A variant of training.

    Args:
        name: Name in the tables.
        prepare: Called once before the model is built, with an empty folder; returns the class
            of the model.
        callbacks: Called before each fit with an empty log directory; returns the callbacks.
        needs_own_process: Whether the variant changes the state of the whole process.
        record: Folder in the log directory whose size is reported.
    """

    name: str
    prepare: Callable[[Path], type[keras.Model]] = plain_model
    callbacks: Callable[[Path], Callbacks] = no_callbacks
    needs_own_process: bool = False
    record: str = "."


STANDARD_VARIANTS = [
    Variant(BASELINE),
    Variant(CONTROL),
    Variant(SUBJECT, callbacks=training_diagnostics, record="diagnostics"),
    Variant(
        WITHOUT_RULES, callbacks=partial(training_diagnostics, rules=None), record="diagnostics"
    ),
]


FLIGHT_RECORDERS = [
    Variant("FlightRecorder", callbacks=flight_recorder),
    Variant("FlightRecorder, skip", callbacks=partial(flight_recorder, on_nonfinite="skip")),
]


def alternatives() -> list[Variant]:
    """Returns the flight recorders, and other tools that exist for the active backend."""
    module = importlib.import_module(f"{keras.backend.backend()}_alternatives")
    return [*FLIGHT_RECORDERS, *module.ALTERNATIVES]
