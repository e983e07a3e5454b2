"""The `logs` for the progress bar, `History` and other callbacks, and the printed messages."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import GradientNorms, NonFiniteMonitor, TrainingDiagnostics
from tests.training import STEPS, build, norms, train


def test_gradient_norm_is_the_mean_over_the_epoch(tmp_path: Path) -> None:
    history = train(build(), norms(tmp_path), epochs=2)

    values = keras_l4.load(tmp_path).series("gradient_norm", by="variable").values
    per_step = np.sqrt(np.sum(np.square(values, dtype=np.float64), axis=1))
    expected = per_step.reshape(2, STEPS).mean(axis=1)
    np.testing.assert_allclose(history.history["gradient_norm"], expected, rtol=1e-6)
    assert history.history["num_nonfinite"] == [0, 0]


def test_gradient_norm_is_over_finite_steps_only(tmp_path: Path) -> None:
    # From the NaN at step 2 on every gradient is NaN.
    history = train(build(), norms(tmp_path, verbose=0), nan_at=1, epochs=2)

    values = keras_l4.load(tmp_path).series("gradient_norm", by="variable").values
    first = float(np.sqrt(np.sum(np.square(values[0], dtype=np.float64))))
    assert history.history["gradient_norm"][0] == pytest.approx(first)
    assert math.isnan(history.history["gradient_norm"][1])
    assert history.history["num_nonfinite"] == [2, 3]


@pytest.mark.parametrize(
    ("callback", "keys"),
    [
        (GradientNorms, {"gradient_norm"}),
        (NonFiniteMonitor, {"num_nonfinite"}),
        (TrainingDiagnostics, {"gradient_norm", "num_nonfinite"}),
    ],
)
def test_each_callback_adds_its_own_logs(callback: Any, keys: set[str]) -> None:
    assert set(train(build(), callback()).history) == {"loss", *keys}


def test_callbacks_listed_later_see_the_logs(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    # Stops after the second epoch: zero is no improvement on zero.
    stopping = keras.callbacks.EarlyStopping("num_nonfinite", mode="min", patience=1)
    train(build(), norms(), keras.callbacks.CSVLogger(log), stopping, epochs=5)

    lines = list(csv.DictReader(log.open()))
    assert len(lines) == 2
    assert float(lines[0]["gradient_norm"]) > 0
    assert float(lines[0]["num_nonfinite"]) == 0


def test_the_logs_of_keras_are_unchanged() -> None:
    recorded = train(build(metrics=["mae"]), norms(), validation_split=0.5).history
    stock = train(build(metrics=["mae"]), validation_split=0.5).history

    assert {k: recorded[k] for k in stock} == stock


@pytest.mark.parametrize("on_nonfinite", ["warn", "stop"])
def test_verbose_0_prints_nothing(on_nonfinite: Any, capfd: pytest.CaptureFixture[str]) -> None:
    build()
    capfd.readouterr()
    train(build(), TrainingDiagnostics(on_nonfinite=on_nonfinite, verbose=0), nan_at=1)

    assert "keras_l4" not in "".join(capfd.readouterr())


def test_verbose_1_prints_where_the_nan_was(capfd: pytest.CaptureFixture[str]) -> None:
    train(build(), NonFiniteMonitor(), nan_at=1)

    (line,) = [x for x in capfd.readouterr().out.splitlines() if "keras_l4" in x]
    assert line.startswith("keras_l4: step 2 (epoch 0, batch 1): ")


def test_a_healthy_run_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    train(build(), TrainingDiagnostics())

    assert "keras_l4" not in capfd.readouterr().out
