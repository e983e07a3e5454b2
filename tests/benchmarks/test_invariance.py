"""Findings are independent of the scale of the loss if training is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import optimizers
from keras.layers import Dense

import keras_l4
from benchmarks.diagnosis.program import Case, Program, compiled, digits, moons, stack
from benchmarks.diagnosis.table import findings, warned
from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.records.history import Record, build_record
from keras_l4.rules import Finding

pytestmark = pytest.mark.any_backend

SPARSE = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"
GRADIENTS = ("gradient_norm", "gradient_max_abs")


def tower(rate: float = 0.05, batch_size: int = 32, factor: float = 1.0) -> Program:
    """Returns a program whose gradient vanishes."""
    hidden = [Dense(8, activation="sigmoid") for _ in range(7)]
    model = stack((2,), *hidden, Dense(1, activation="sigmoid"))
    return Program(with_sgd(model, rate, BINARY, factor), *moons(), batch_size=batch_size)


def slow(rate: float = 1e-4, batch_size: int = 32, factor: float = 1.0) -> Program:
    model = stack((64,), Dense(24, activation="relu"), Dense(10, activation="softmax"))
    return Program(
        with_sgd(model, rate, SPARSE, factor), *digits(), epochs=5, batch_size=batch_size
    )


def fine(rate: float = 0.2, batch_size: int = 32, factor: float = 1.0) -> Program:
    model = stack((64,), Dense(24, activation="relu"), Dense(10, activation="softmax"))
    return Program(
        with_sgd(model, rate, SPARSE, factor), *digits(), epochs=6, batch_size=batch_size
    )


def with_sgd(model: Any, rate: float, loss: str, factor: float) -> Any:
    return compiled(model, optimizers.SGD(rate / factor), scaled(loss, factor), "accuracy")


def with_adam(factor: float = 1.0) -> Program:
    model = stack((64,), Dense(24, activation="relu"), Dense(10, activation="softmax"))
    optimizer = optimizers.Adam(1e-3, epsilon=1e-7 * factor)
    return Program(compiled(model, optimizer, scaled(SPARSE, factor), "accuracy"), *digits())


def scaled(loss: str, factor: float) -> Any:
    function = keras.losses.get(loss)
    return loss if factor == 1 else lambda y, p: factor * function(y, p)


PROGRAMS = {"tower": tower, "slow": slow, "fine": fine}


def run_of(make: Any, folder: Path) -> Any:
    Case("", (), "", make).run(TrainingDiagnostics(folder, verbose=0))
    return keras_l4.load(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: run_of(make, folder / name) for name, make in PROGRAMS.items()}


def rescaled(run: Any, factor: float) -> Record:
    """Returns the record that a loss scaled by `factor` would give."""
    blocks = [
        replace(
            block,
            loss=block.loss * factor,
            learning_rate=block.learning_rate / factor,
            values=block.values
            | {name: block.values[name] * factor for name in GRADIENTS}
            | {"effective_learning_rate": block.values["effective_learning_rate"] / factor},
        )
        for block in run.blocks
    ]
    return build_record([*(_note(note, factor) for note in run.annotations), *blocks])


def _note(note: Any, factor: float) -> Any:
    if isinstance(note, keras_l4.records.annotations.EpochLogs):
        return replace(note, logs=note.logs | {"loss": note.logs["loss"] * factor})
    if isinstance(note, keras_l4.records.metadata.ModelMetadata):
        targets = replace(note.targets, trivial_loss=note.targets.trivial_loss * factor)
        return replace(note, targets=targets)
    return note


def essence(found: tuple[Finding, ...]) -> list[Any]:
    return [(f.code, f.severity, f.layers, f.first_step, f.last_step) for f in found]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_findings_are_independent_of_the_scale_of_the_recording(
    name: str, factor: float, runs: dict[str, Any]
) -> None:
    assert essence(findings(rescaled(runs[name], factor))) == essence(findings(runs[name].record))


def test_programs_have_different_findings(runs: dict[str, Any]) -> None:
    codes = {name: warned(run.record) for name, run in runs.items()}
    assert "vanishing-gradient" in codes["tower"]
    assert codes["slow"] == ("learning-rate-too-low",)
    assert codes["fine"] == ()


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_warnings_are_independent_of_the_scale_of_the_loss(
    name: str, factor: float, runs: dict[str, Any], tmp_path: Path
) -> None:
    again = run_of(lambda: PROGRAMS[name](factor=factor), tmp_path)
    assert set(warned(again.record)) == set(warned(runs[name].record))


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_adam_with_a_scaled_loss_gets_no_warning(factor: float, tmp_path: Path) -> None:
    assert warned(run_of(lambda: with_adam(factor), tmp_path).record) == ()


@pytest.mark.parametrize("name", PROGRAMS)
def test_warnings_are_independent_of_the_batch_size(
    name: str, runs: dict[str, Any], tmp_path: Path
) -> None:
    again = run_of(lambda: PROGRAMS[name](batch_size=16), tmp_path)
    assert set(warned(again.record)) == set(warned(runs[name].record))


def test_rescaling_changes_the_recording(runs: dict[str, Any]) -> None:
    before, after = runs["fine"].record, rescaled(runs["fine"], 1e4)
    ratio = after.block.values["gradient_norm"] / before.block.values["gradient_norm"]
    np.testing.assert_allclose(ratio, 1e4, rtol=1e-3)
