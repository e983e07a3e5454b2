"""A failing diagnostic is disabled with one warning; training continues."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.events.event_file import EventFile
from keras_l4.events.writer import BlockWriter
from keras_l4.quantities.effective_learning_rate import EffectiveLearningRate
from tests.training import STEPS, build, same, state, train

EPOCHS = 3
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def stock() -> list[np.ndarray]:
    """Returns the state after three epochs without callbacks."""
    model = build()
    train(model, epochs=EPOCHS)
    return state(model)


def train_and_collect_warnings(
    stock: list[np.ndarray], *callbacks: Any, **arguments: Any
) -> list[str]:
    """Trains, checks that the weights are those without callbacks, and returns our warnings."""
    model = build()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = train(model, *callbacks, epochs=EPOCHS, **arguments)
    assert type(model.optimizer) is type(keras.optimizers.Adam())
    assert same(state(model), stock)
    assert len(history.history["gradient_norm"]) == EPOCHS
    ours = [w for w in caught if str(w.message).startswith("keras_l4: ")]
    assert all(w.category is RuntimeWarning for w in ours)
    return [str(w.message) for w in ours]


def diagnostics_for(log_dir: Path | None, hooks: Any = ()) -> Any:
    quantities = ["gradient_norm", "effective_learning_rate"]
    return TrainingDiagnostics(log_dir, quantities, flush_every=1, hooks=hooks, verbose=0)


def fails_after(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps `function` so that it raises "disk full" after this many calls."""
    calls_left = iter(range(calls))

    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        if next(calls_left, None) is None:
            raise FULL
        return function(*arguments, **keywords)

    return wrapper


@pytest.mark.parametrize("calls", [0, 4])
def test_full_disk_stops_writing_but_not_hooks(
    calls: int, stock: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlockWriter, "write", fails_after(calls, BlockWriter.write))
    steps: list[int] = []
    hook = [lambda block: steps.extend(block.steps)]
    (warning,) = train_and_collect_warnings(stock, diagnostics_for(tmp_path, hook))

    assert "writing event files failed and is disabled; training continues." in warning
    assert "No space left on device" in warning
    assert steps == [*range(1, EPOCHS * STEPS + 1)]
    if calls:
        assert keras_l4.load(tmp_path).steps.tolist() == [*range(1, calls + 1)]


def test_full_disk_is_reported_once_even_if_closing_the_file_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The header, two notes and a block fit; NaN that no scalar told yet are written at the end.
    monkeypatch.setattr(EventFile, "_write", fails_after(4, EventFile._write))
    model = build()
    with pytest.warns(RuntimeWarning, match="keras_l4") as caught:
        train(model, diagnostics_for(tmp_path), nan_at=1, epochs=EPOCHS)

    assert len([w for w in caught if str(w.message).startswith("keras_l4: ")]) == 1
    assert keras_l4.load(tmp_path).steps.tolist() == [1]


def test_folder_that_cannot_be_created_does_not_stop_hooks(
    stock: list[np.ndarray], tmp_path: Path
) -> None:
    steps: list[int] = []
    diagnostics = diagnostics_for(tmp_path / "logs", [lambda block: steps.extend(block.steps)])
    (tmp_path / "logs").touch()
    (warning,) = train_and_collect_warnings(stock, diagnostics)

    assert str(tmp_path / "logs") in warning
    assert steps == [*range(1, EPOCHS * STEPS + 1)]


def test_hook_that_raises_does_not_stop_other_hooks(
    stock: list[np.ndarray], tmp_path: Path
) -> None:
    steps: list[int] = []

    def broken(block: keras_l4.StepBlock) -> None:
        raise RuntimeError("planted")

    diagnostics = diagnostics_for(tmp_path, [broken, lambda block: steps.extend(block.steps)])
    (warning,) = train_and_collect_warnings(stock, diagnostics)

    assert "hook " in warning
    assert "broken" in warning
    assert "RuntimeError: planted" in warning
    assert steps == keras_l4.load(tmp_path).steps.tolist() == [*range(1, EPOCHS * STEPS + 1)]


def test_quantity_that_raises_is_left_out(
    stock: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, measured: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(EffectiveLearningRate, "derive", broken)
    (warning,) = train_and_collect_warnings(stock, diagnostics_for(tmp_path))

    assert "computing effective_learning_rate failed" in warning
    assert "ZeroDivisionError: planted" in warning
    run = keras_l4.load(tmp_path)
    assert run.steps.tolist() == [*range(1, EPOCHS * STEPS + 1)]
    assert set(run.quantities) == {"gradient_norm", "inf_count", "nan_count"}


def test_failing_histograms_do_not_stop_other_writes(
    stock: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlockWriter, "write_histograms", fails_after(0, BlockWriter.write))
    diagnostics = TrainingDiagnostics(
        tmp_path, ["gradient_norm"], histogram_freq=1, every=1, verbose=0
    )
    (warning,) = train_and_collect_warnings(stock, diagnostics)

    assert "writing histograms failed" in warning
    assert keras_l4.load(tmp_path).steps.tolist() == [*range(1, EPOCHS * STEPS + 1)]


def test_each_failing_part_is_reported_once(
    stock: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(block: keras_l4.StepBlock) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(BlockWriter, "write", fails_after(1, BlockWriter.write))

    assert len(train_and_collect_warnings(stock, diagnostics_for(tmp_path, [broken]))) == 2


def test_next_fit_enables_the_part_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, diagnostics = build(), diagnostics_for(tmp_path)
    monkeypatch.setattr(BlockWriter, "write", fails_after(1, BlockWriter.write))
    with pytest.warns(RuntimeWarning, match="keras_l4"):
        train(model, diagnostics)
    monkeypatch.undo()
    train(model, diagnostics)

    assert keras_l4.load(tmp_path).steps.tolist() == [1, STEPS + 1, STEPS + 2, STEPS + 3]
