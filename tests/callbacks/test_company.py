"""In company: callbacks of Keras beside ours, in any order, do what they do without us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import callbacks

from keras_l4.callbacks import TrainingDiagnostics
from tests.archives import archive, public, tree
from tests.training import build, same, state, train

OURS = {"gradient_norm", "num_nonfinite", "num_skipped_steps"}
EPOCHS = 3


def _rising(epoch: int, rate: float) -> float:
    return rate * 2


COMPANY: dict[str, Callable[[Path], Any]] = {
    "BackupAndRestore": lambda folder: callbacks.BackupAndRestore(
        folder / "backup", save_freq=2, delete_checkpoint=False
    ),
    "ModelCheckpoint": lambda folder: callbacks.ModelCheckpoint(folder / "{epoch}.keras"),
    "ModelCheckpoint, weights, in an epoch": lambda folder: callbacks.ModelCheckpoint(
        folder / "{epoch}.weights.h5", save_weights_only=True, save_freq=2
    ),
    "EarlyStopping": lambda folder: callbacks.EarlyStopping(
        "loss", min_delta=1e3, patience=1, restore_best_weights=True
    ),
    "SwapEMAWeights": lambda folder: callbacks.SwapEMAWeights(swap_on_epoch=True),
    "TensorBoard": lambda folder: callbacks.TensorBoard(folder / "logs"),
    "TerminateOnNaN": lambda folder: callbacks.TerminateOnNaN(),
    "CSVLogger": lambda folder: callbacks.CSVLogger(folder / "log.csv"),
    "LearningRateScheduler": lambda folder: callbacks.LearningRateScheduler(_rising),
    "ReduceLROnPlateau": lambda folder: callbacks.ReduceLROnPlateau(
        "loss", patience=0, min_delta=1e3
    ),
}


def trained(name: str, folder: Path, place: int | None) -> tuple[Any, dict[str, Any]]:
    """The model and its history; ours stands first (0), last (1) or nowhere."""
    folder.mkdir()
    listed = [COMPANY[name](folder)]
    if place is not None:
        listed.insert(place, TrainingDiagnostics(folder.with_suffix(".ours"), verbose=0))
    model = build(keras.optimizers.Adam(0.01, use_ema=name == "SwapEMAWeights"))
    history = train(model, *listed, epochs=EPOCHS).history
    return model, {key: values for key, values in history.items() if key not in OURS}


def contents(folder: Path) -> dict[str, Any]:
    """What a model can be read back from: file to content."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".keras":
            config, weights = archive(path)
            found[path.name] = public(config), weights
        elif path.suffix == ".h5":
            found[path.name] = tree(path)
    return found


@pytest.mark.parametrize("place", [0, 1], ids=["ours first", "ours last"])
@pytest.mark.parametrize("name", COMPANY)
def test_they_work_as_without_us(name: str, place: int, tmp_path: Path) -> None:
    plain, expected = trained(name, tmp_path / "plain", None)
    watched, history = trained(name, tmp_path / "watched", place)

    assert same(state(watched), state(plain))
    assert history == expected
    assert contents(tmp_path / "watched") == contents(tmp_path / "plain")


def test_training_that_was_interrupted_is_restored(tmp_path: Path) -> None:
    class Interrupt(callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyboardInterrupt

    def backup() -> Any:
        return callbacks.BackupAndRestore(tmp_path / "backup")

    ours = TrainingDiagnostics(tmp_path, quantities=["gradient_norm"])
    with pytest.raises(KeyboardInterrupt):
        train(build(), ours, backup(), Interrupt(), epochs=EPOCHS)
    resumed, plain = build(), build()
    train(resumed, backup(), ours, epochs=EPOCHS)
    train(plain, epochs=EPOCHS)

    assert same(state(resumed), state(plain))


def test_csv_logger_and_early_stopping_see_our_logs(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    stopping = callbacks.EarlyStopping("gradient_norm", 1e3, patience=1, mode="min")
    ours = TrainingDiagnostics(quantities=["gradient_norm"])
    history = train(build(), ours, callbacks.CSVLogger(log), stopping, epochs=9).history

    assert len(history["gradient_norm"]) == 2
    table = np.genfromtxt(log, delimiter=",", names=True)
    np.testing.assert_allclose(table["gradient_norm"], history["gradient_norm"])
