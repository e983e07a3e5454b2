"""The callbacks of Keras work beside ours, in any order, as they do alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import callbacks

from keras_l4.callbacks import TrainingDiagnostics
from tests.archives import read_hdf5, read_keras_archive, with_public_names
from tests.training import build, same, state, train

OURS = {"gradient_norm", "num_nonfinite", "num_skipped_steps"}
EPOCHS = 3


def _doubled(epoch: int, rate: float) -> float:
    return rate * 2


KERAS_CALLBACKS: dict[str, Callable[[Path], Any]] = {
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
    "LearningRateScheduler": lambda folder: callbacks.LearningRateScheduler(_doubled),
    "ReduceLROnPlateau": lambda folder: callbacks.ReduceLROnPlateau(
        "loss", patience=0, min_delta=1e3
    ),
}


def trained(name: str, folder: Path, position: int | None) -> tuple[Any, dict[str, Any]]:
    """Returns the model and its history; our callback is first (0), last (1) or absent (None)."""
    folder.mkdir()
    listed = [KERAS_CALLBACKS[name](folder)]
    if position is not None:
        listed.insert(position, TrainingDiagnostics(folder.with_suffix(".ours"), verbose=0))
    model = build(keras.optimizers.Adam(0.01, use_ema=name == "SwapEMAWeights"))
    history = train(model, *listed, epochs=EPOCHS).history
    return model, {key: values for key, values in history.items() if key not in OURS}


def contents(folder: Path) -> dict[str, Any]:
    """Returns the content of every file that a model can be loaded from."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".keras":
            config, weights = read_keras_archive(path)
            found[path.name] = with_public_names(config), weights
        elif path.suffix == ".h5":
            found[path.name] = read_hdf5(path)
    return found


@pytest.mark.parametrize("position", [0, 1], ids=["ours first", "ours last"])
@pytest.mark.parametrize("name", KERAS_CALLBACKS)
def test_callbacks_of_keras_work_as_they_do_alone(name: str, position: int, tmp_path: Path) -> None:
    plain, expected = trained(name, tmp_path / "plain", None)
    watched, history = trained(name, tmp_path / "watched", position)

    assert same(state(watched), state(plain))
    assert history == expected
    assert contents(tmp_path / "watched") == contents(tmp_path / "plain")


def test_interrupted_training_is_resumed_as_without_the_callback(tmp_path: Path) -> None:
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


def test_csv_logger_and_early_stopping_see_the_logs_of_ours(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    stopping = callbacks.EarlyStopping("gradient_norm", 1e3, patience=1, mode="min")
    ours = TrainingDiagnostics(quantities=["gradient_norm"])
    history = train(build(), ours, callbacks.CSVLogger(log), stopping, epochs=9).history

    assert len(history["gradient_norm"]) == 2
    table = np.genfromtxt(log, delimiter=",", names=True)
    np.testing.assert_allclose(table["gradient_norm"], history["gradient_norm"])
