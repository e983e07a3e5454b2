"""A capsule says where the first non-finite number was born."""

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
class Exponent(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return ops.exp(x)


@keras.saving.register_keras_serializable("tests")
def of_logarithm(y: Any, prediction: Any) -> Any:
    return ops.log(ops.relu(prediction)) - y


def capsule_of(model: Any, folder: Path, **arguments: Any) -> Path:
    callback = FlightRecorder(folder, verbose=0)
    train(model, callback, **arguments)
    assert callback.capsule is not None
    return callback.capsule


def exponents(large_at: int = BAD) -> tuple[Any, np.ndarray]:
    """A model with an exponential, and inputs that it takes until a batch is too large for it."""
    layers = [keras.layers.Dense(4, kernel_initializer="ones"), Exponent(), keras.layers.Dense(1)]
    x, _ = rows()
    x[large_at * BATCH :] = 100.0
    return build(keras.optimizers.SGD(1e-9), layers=layers), x


def fitted(model: Any, x: np.ndarray, folder: Path) -> Path:
    callback = FlightRecorder(folder, verbose=0)
    y = rows()[1]
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    assert callback.capsule is not None
    return callback.capsule


def test_nan_in_the_data(tmp_path: Path) -> None:
    result = replay(capsule_of(build(), tmp_path, nan_at=BAD))
    assert (result.step, result.reproduced) == (BAD + 1, True)
    assert result.birth is not None
    assert result.birth.phase == "data"
    assert "1 NaN" in result.birth.cause
    assert result.likeness.num_compared > 0


def test_an_overflow_in_a_layer(tmp_path: Path) -> None:
    model, x = exponents()
    result = replay(fitted(model, x, tmp_path))
    assert result.birth is not None
    assert (result.step, result.birth.phase) == (BAD + 1, "forward")
    assert "exponent" in result.birth.layer
    assert result.birth.operation == "exp"


def test_log_of_zero_in_the_loss(tmp_path: Path) -> None:
    layers = [keras.layers.Dense(1, activation="relu", kernel_initializer="zeros")]
    result = replay(capsule_of(build(layers=layers, loss=of_logarithm), tmp_path))
    assert result.birth is not None
    assert (result.step, result.birth.phase, result.birth.operation) == (1, "loss", "log")


def test_a_slot_that_was_not_finite(tmp_path: Path) -> None:
    model = build()
    train(model)
    slot = next(v for v in model.optimizer.variables if "velocity" in v.path)
    slot.assign(np.full(slot.shape, -1.0, "float32"))
    result = replay(capsule_of(model, tmp_path))
    assert result.birth is not None
    assert result.birth.phase == "optimizer"


def test_an_update_that_overflows(tmp_path: Path) -> None:
    result = replay(capsule_of(build(keras.optimizers.SGD(1e38)), tmp_path, epochs=3))
    assert result.birth is not None
    assert result.birth.phase in ("optimizer", "forward", "loss")


def test_a_rate_that_a_callback_has_changed(tmp_path: Path) -> None:
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, _: (1e-3, 1e30)[epoch])
    callback = FlightRecorder(tmp_path, verbose=0)
    train(build(keras.optimizers.SGD()), schedule, callback, epochs=2)
    assert callback.capsule is not None
    result = replay(callback.capsule)
    assert (result.step, result.first_step, result.reproduced) == (STEPS + 2, 1, True)


def test_a_model_without_configuration(tmp_path: Path) -> None:
    class Private(keras.Model):
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.dense = layer()

        def call(self, x: Any) -> Any:
            return self.dense(x)

    def make() -> Any:
        model = Private(lambda: keras.layers.Dense(1))
        model.build((None, FEATURES))
        model.compile("adam", "mse")
        return model

    capsule = capsule_of(make(), tmp_path, nan_at=BAD)
    with pytest.raises(ValueError, match="--module"):
        replay(capsule)
    assert replay(capsule, model=make()).reproduced


def test_another_model(tmp_path: Path) -> None:
    capsule = capsule_of(build(), tmp_path, nan_at=BAD)
    with pytest.raises(ValueError, match="another model"):
        replay(capsule, model=build(layers=[keras.layers.Dense(1)]))


def test_no_model(tmp_path: Path) -> None:
    capsule = capsule_of(build(), tmp_path, nan_at=BAD)
    with pytest.raises(TypeError, match=r"a Dense; expected a keras\.Model"):
        replay(capsule, model=keras.layers.Dense(1))


def test_another_backend(tmp_path: Path) -> None:
    capsule = capsule_of(build(), tmp_path, nan_at=BAD)
    about = json.loads((capsule / "capsule.json").read_text())
    (capsule / "capsule.json").write_text(json.dumps(about | {"backend": "numpy"}))
    with pytest.raises(ValueError, match="KERAS_BACKEND=numpy"):
        replay(capsule)


def test_a_run_that_went_otherwise(tmp_path: Path) -> None:
    capsule = capsule_of(build(), tmp_path, nan_at=BAD)
    recorded = dict(np.load(capsule / "rows.npz"))
    np.savez(capsule / "rows.npz", **(recorded | {"loss": recorded["loss"] * 1.5}))
    result = replay(capsule)
    assert not result.reproduced
    assert "differ from those recorded" in str(result)


def test_a_capsule_that_stays_finite(tmp_path: Path) -> None:
    capsule = capsule_of(build(), tmp_path, nan_at=BAD)
    batch = capsule / "batch-000002.npz"
    np.savez(batch, **{k: np.nan_to_num(v) for k, v in np.load(batch).items()})
    result = replay(capsule)
    assert result.step is None
    assert not result.reproduced
    assert "not reproduced" in str(result)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsule = capsule_of(build(), tmp_path, nan_at=BAD)
    assert main(["replay", str(capsule), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"step": BAD + 1, "phase": "data", "reproduced": True}.items() <= said.items()
    assert main(["replay", str(capsule), "--module", "nothing_of_that_name:build"]) == 2
    assert main(["replay", str(tmp_path)]) == 2
    assert "is no capsule" in capsys.readouterr().err


def test_what_is_printed(tmp_path: Path) -> None:
    result = replay(capsule_of(build(), tmp_path, nan_at=BAD))
    assert isinstance(result, Replay)
    text = str(result)
    assert "step 3 → data" in text
    assert "bit for bit" in text or "within" in text


def test_a_step_that_was_finite_then(tmp_path: Path) -> None:
    capsule = capsule_of(build(), tmp_path, nan_at=BAD)
    recorded = dict(np.load(capsule / "rows.npz"))
    finite = np.nan_to_num(recorded["gradient_norm"], nan=1.0)
    np.savez(capsule / "rows.npz", **(recorded | {"gradient_norm": finite}))
    result = replay(capsule)
    assert not result.reproduced
    assert "finite only now, or were only then" in str(result)


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = build()
    capsule = capsule_of(model, tmp_path, nan_at=BAD)
    for variable in model.variables:
        variable.assign(np.full(variable.shape, 3, variable.dtype))
    replay(capsule, model)
    for variable in model.variables:
        np.testing.assert_array_equal(variable, np.full(variable.shape, 3))
    assert model.optimizer.iterations == STEPS
