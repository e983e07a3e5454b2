"""Step numbers continue in a second `fit`, in a new process and after a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_l4
from tests.training import STEPS, build, norms, train

ROOT = Path(__file__).parents[2]


def assert_superseded(log_dir: Path) -> None:
    """Step numbers continue, but an untrained model supersedes the earlier run."""
    run = keras_l4.load(log_dir)
    assert run.steps.tolist() == [*range(STEPS + 1, 2 * STEPS + 1)]
    assert run.num_superseded == STEPS


def steps(log_dir: Path) -> list[int]:
    return keras_l4.load(log_dir).steps.tolist()


def test_a_new_model_in_the_same_log_dir_continues_the_step_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = build()
    train(model, norms(tmp_path))
    train(model, norms(tmp_path))
    assert "an earlier run" not in capsys.readouterr().out
    train(build(), norms(tmp_path))
    assert (
        f"contains an earlier run. This run is recorded from step {2 * STEPS + 1} on"
        in capsys.readouterr().out
    )
    train(build(), norms(tmp_path / "new"))
    train(build(), norms(tmp_path / "new"))

    assert_superseded(tmp_path / "new")


def test_a_trained_model_in_a_new_log_dir_continues_after_its_iterations(tmp_path: Path) -> None:
    model = build()
    train(model, norms(tmp_path / "one"))
    train(model, norms(tmp_path / "other"))

    assert steps(tmp_path / "other") == [*range(STEPS + 1, 2 * STEPS + 1)]


def test_the_log_dir_decides_if_it_is_ahead_of_the_iterations(tmp_path: Path) -> None:
    model = build()
    for _ in range(2):
        train(build(), norms(tmp_path))
    train(model)
    train(model, norms(tmp_path))

    assert steps(tmp_path)[-1] == 3 * STEPS


def test_a_resumed_run_has_the_epochs_of_fit(tmp_path: Path) -> None:
    model = build()
    train(model, norms(tmp_path), epochs=2)
    train(model, norms(tmp_path), initial_epoch=2, epochs=3)

    run = keras_l4.load(tmp_path)
    assert run.steps.tolist() == [*range(1, 3 * STEPS + 1)]
    assert run.epochs.tolist() == [0] * STEPS + [1] * STEPS + [2] * STEPS


SCRIPT = """
import sys
from tests.training import build, norms, train

train(build(), norms(sys.argv[1]))
"""


def test_a_new_process_continues_the_step_numbers(tmp_path: Path) -> None:
    train(build(), norms(tmp_path))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": os.fspath(ROOT)})

    assert_superseded(tmp_path)


class Crash(keras.callbacks.Callback):
    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_run_restored_by_backup_and_restore_has_every_step_once(tmp_path: Path) -> None:
    # JAX: BackupAndRestore needs the optimizer's variables before the first step.
    def model() -> object:
        made = build()
        made.optimizer.build(made.trainable_variables)
        return made

    def backup() -> keras.callbacks.Callback:
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    log_dir = tmp_path / "logs"
    with pytest.raises(KeyboardInterrupt):
        train(model(), norms(log_dir), backup(), Crash(2), epochs=4)
    assert steps(log_dir) == [*range(1, 2 * STEPS + 1)]
    resumed = model()
    train(resumed, norms(log_dir), backup(), epochs=4)
    stock = model()
    train(stock, epochs=4)

    run = keras_l4.load(log_dir)
    assert run.steps.tolist() == [*range(1, 4 * STEPS + 1)]
    assert run.epochs.tolist() == [e for e in range(4) for _ in range(STEPS)]
    assert run.iterations.tolist() == [*range(4 * STEPS)]
    assert all(map(np.array_equal, resumed.get_weights(), stock.get_weights()))
