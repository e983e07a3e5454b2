"""Models that are built by their first batch."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from keras_l4.callbacks import FlightRecorder
from keras_l4.forensics.replay import replay
from tests.training import train


def unbuilt() -> keras.Model:
    model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=keras.backend.backend() == "tensorflow")
    return model


def test_steps_after_the_first_are_replayed(tmp_path: Path) -> None:
    callback = FlightRecorder(tmp_path, verbose=0)
    train(unbuilt(), callback, nan_at=2)
    assert callback.capsule is not None
    assert replay(callback.capsule).step == 3


def test_bad_first_step_writes_a_capsule_or_warns(tmp_path: Path, backend: str) -> None:
    callback = FlightRecorder(tmp_path, verbose=0)
    if backend != "tensorflow":  # There, Keras builds the model before the first batch.
        train(unbuilt(), callback, nan_at=0)
        assert callback.capsule is not None
        return
    with pytest.warns(RuntimeWarning, match=r"keras\.Input"):
        train(unbuilt(), callback, nan_at=0)
    assert callback.capsule is None
