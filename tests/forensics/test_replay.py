"""replay finds the origin of the first non-finite number of a capsule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_l4.callbacks import FlightRecorder
from keras_l4.command import main
from keras_l4.forensics.replay import Replay, replay
from tests.training import BATCH, FEATURES, STEPS, build, rows, train

BAD = 2


@keras.saving.register_keras_serializable("tests")
class Exp(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return ops.exp(x)


@keras.saving.register_keras_serializable("tests")
def log_loss(y: Any, prediction: Any) -> Any:
    return ops.log(ops.relu(prediction)) - y


def train_and_save(model: Any, folder: Path, **arguments: Any) -> Path:
    callback = FlightRecorder(folder, verbose=0)
    train(model, callback, **arguments)
    assert callback.capsule is not None
    return callback.capsule


def overflowing_model() -> tuple[Any, np.ndarray]:
    """Returns a model with an exponential, and inputs that overflow it from one batch on."""
    layers = [keras.layers.Dense(4, kernel_initializer="ones"), Exp(), keras.layers.Dense(1)]
    x, _ = rows()
    x[BAD * BATCH :] = 100.0
    return build(keras.optimizers.SGD(1e-9), layers=layers), x


def fit_and_save(model: Any, x: np.ndarray, folder: Path) -> Path:
    callback = FlightRecorder(folder, verbose=0)
    y = rows()[1]
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    assert callback.capsule is not None
    return callback.capsule


def test_nan_in_the_data_is_found(tmp_path: Path) -> None:
    result = replay(train_and_save(build(), tmp_path, nan_at=BAD))
    assert (result.step, result.is_reproduced) == (BAD + 1, True)
    assert result.origin is not None
    assert result.origin.phase == "data"
    assert "1 NaN" in result.origin.cause
    assert result.comparison.num_compared > 0


def test_overflow_in_a_layer_is_found(tmp_path: Path) -> None:
    model, x = overflowing_model()
    result = replay(fit_and_save(model, x, tmp_path))
    assert result.origin is not None
    assert (result.step, result.origin.phase) == (BAD + 1, "forward")
    assert "exp" in result.origin.layer
    assert result.origin.operation == "exp"


def test_log_of_zero_in_the_loss_is_found(tmp_path: Path) -> None:
    layers = [keras.layers.Dense(1, activation="relu", kernel_initializer="zeros")]
    result = replay(train_and_save(build(layers=layers, loss=log_loss), tmp_path))
    assert result.origin is not None
    assert (result.step, result.origin.phase, result.origin.operation) == (1, "loss", "log")


def test_bad_slot_is_found_in_the_update(tmp_path: Path) -> None:
    model = build()
    train(model)
    slot = next(v for v in model.optimizer.variables if "velocity" in v.path)
    slot.assign(np.full(slot.shape, -1.0, "float32"))
    result = replay(train_and_save(model, tmp_path))
    assert result.origin is not None
    assert result.origin.phase == "optimizer"


def test_overflowing_update_is_found(tmp_path: Path) -> None:
    result = replay(train_and_save(build(keras.optimizers.SGD(1e38)), tmp_path, epochs=3))
    assert result.origin is not None
    assert result.origin.phase in ("optimizer", "forward", "loss")


def test_learning_rate_of_a_callback_is_replayed(tmp_path: Path) -> None:
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, _: (1e-3, 1e30)[epoch])
    callback = FlightRecorder(tmp_path, verbose=0)
    train(build(keras.optimizers.SGD()), schedule, callback, epochs=2)
    assert callback.capsule is not None
    result = replay(callback.capsule)
    assert (result.step, result.first_step, result.is_reproduced) == (STEPS + 2, 1, True)


def test_model_without_configuration_must_be_passed(tmp_path: Path) -> None:
    class Unserializable(keras.Model):
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.dense = layer()

        def call(self, x: Any) -> Any:
            return self.dense(x)

    def make() -> Any:
        model = Unserializable(lambda: keras.layers.Dense(1))
        model.build((None, FEATURES))
        model.compile("adam", "mse")
        return model

    capsule = train_and_save(make(), tmp_path, nan_at=BAD)
    with pytest.raises(ValueError, match="--module"):
        replay(capsule)
    assert replay(capsule, model=make()).is_reproduced


def test_other_model_is_rejected(tmp_path: Path) -> None:
    capsule = train_and_save(build(), tmp_path, nan_at=BAD)
    with pytest.raises(ValueError, match="another model"):
        replay(capsule, model=build(layers=[keras.layers.Dense(1)]))


def test_layer_instead_of_a_model_is_rejected(tmp_path: Path) -> None:
    capsule = train_and_save(build(), tmp_path, nan_at=BAD)
    with pytest.raises(TypeError, match=r"a Dense; expected a keras\.Model"):
        replay(capsule, model=keras.layers.Dense(1))


def test_capsule_of_another_backend_names_the_variable_to_set(tmp_path: Path) -> None:
    capsule = train_and_save(build(), tmp_path, nan_at=BAD)
    metadata = json.loads((capsule / "capsule.json").read_text())
    (capsule / "capsule.json").write_text(json.dumps(metadata | {"backend": "numpy"}))
    with pytest.raises(ValueError, match="KERAS_BACKEND=numpy"):
        replay(capsule)


def test_difference_from_the_recording_is_reported(tmp_path: Path) -> None:
    capsule = train_and_save(build(), tmp_path, nan_at=BAD)
    recorded = dict(np.load(capsule / "rows.npz"))
    np.savez(capsule / "rows.npz", **(recorded | {"loss": recorded["loss"] * 1.5}))
    result = replay(capsule)
    assert not result.is_reproduced
    assert "differ from the recording" in str(result)


def test_replay_that_stays_finite_is_not_reproduced(tmp_path: Path) -> None:
    capsule = train_and_save(build(), tmp_path, nan_at=BAD)
    batch = capsule / "batch-000002.npz"
    np.savez(batch, **{k: np.nan_to_num(v) for k, v in np.load(batch).items()})
    result = replay(capsule)
    assert result.step is None
    assert not result.is_reproduced
    assert "Not reproduced" in str(result)


def test_command_prints_json_and_returns_the_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsule = train_and_save(build(), tmp_path, nan_at=BAD)
    assert main(["replay", str(capsule), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {"step": BAD + 1, "phase": "data", "is_reproduced": True}.items() <= printed.items()
    assert main(["replay", str(capsule), "--module", "no_such_module:build"]) == 2
    assert main(["replay", str(tmp_path)]) == 2
    assert "is not a capsule" in capsys.readouterr().err


def test_report_names_the_origin_and_the_comparison(tmp_path: Path) -> None:
    result = replay(train_and_save(build(), tmp_path, nan_at=BAD))
    assert isinstance(result, Replay)
    text = str(result)
    assert "origin      step 3 → data" in text
    assert "bit for bit" in text or "within" in text


def test_finite_recorded_gradient_norms_are_a_mismatch(tmp_path: Path) -> None:
    capsule = train_and_save(build(), tmp_path, nan_at=BAD)
    recorded = dict(np.load(capsule / "rows.npz"))
    finite = np.nan_to_num(recorded["gradient_norm"], nan=1.0)
    np.savez(capsule / "rows.npz", **(recorded | {"gradient_norm": finite}))
    result = replay(capsule)
    assert not result.is_reproduced
    assert "finite only in the replay or only in the recording" in str(result)


def test_replay_restores_the_model(tmp_path: Path) -> None:
    model = build()
    capsule = train_and_save(model, tmp_path, nan_at=BAD)
    for variable in model.variables:
        variable.assign(np.full(variable.shape, 3, variable.dtype))
    replay(capsule, model)
    for variable in model.variables:
        np.testing.assert_array_equal(variable, np.full(variable.shape, 3))
    assert model.optimizer.iterations == STEPS
