"""After training with us, what leaves a model has no trace of us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import TrainingDiagnostics
from tests.training import build, norms, rows, same, state, train

ON = keras.backend.backend()


@pytest.fixture
def trained() -> Any:
    model = build(keras_l4.optimizers.Adam(0.01))
    train(model, TrainingDiagnostics(verbose=0))
    return model


@pytest.mark.skipif(ON == "torch", reason="Keras exports a TensorFlow SavedModel from torch not")
def test_export(trained: Any, tmp_path: Path) -> None:
    trained.export(tmp_path, verbose=False)

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"keras_l4" in path.read_bytes()]


def test_clone(trained: Any) -> None:
    clone = keras.models.clone_model(trained)

    assert [v.path for v in clone.variables] == [v.path for v in trained.variables]
    clone.compile("adam", "mse")
    train(clone)


def test_weights_alone(trained: Any, tmp_path: Path) -> None:
    trained.save_weights(tmp_path / "w.weights.h5")
    fresh = build()
    fresh.optimizer.build(fresh.trainable_variables)
    fresh.load_weights(tmp_path / "w.weights.h5")

    assert same(state(fresh), state(trained))


@pytest.mark.skipif(ON != "jax", reason="Orbax is JAX's")
def test_orbax(tmp_path: Path) -> None:
    pytest.importorskip("orbax.checkpoint")

    def saved(*callbacks: Any) -> dict[str, np.ndarray]:
        folder = tmp_path / str(len(callbacks))
        model = build()
        checkpoint = keras.callbacks.OrbaxCheckpoint(folder, save_freq="epoch")
        train(model, *callbacks, checkpoint)
        checkpoint.wait_until_finished()
        loaded = keras.saving.load_model(folder)
        return dict(enumerate(state(loaded)))

    plain, watched = saved(), saved(norms())
    assert plain.keys() == watched.keys()
    assert same(list(plain.values()), list(watched.values()))


def test_lora_after_compile() -> None:
    def make() -> Any:
        model = build()
        model.layers[0].enable_lora(2)
        return model

    plain, watched = make(), make()
    recorded: list[keras_l4.StepBlock] = []
    train(plain)
    train(watched, norms(hooks=[recorded.append]))

    assert same(state(watched), state(plain))
    paths = [v.path for v in recorded[0].variables]
    assert [path.rpartition("/")[2] for path in paths] == [
        v.path.rpartition("/")[2] for v in watched.trainable_variables
    ]
    assert "lora_kernel_a" in paths[1] + paths[2]


def quantized(mode: str) -> Any:
    model = build()
    model.quantize(mode)
    # Keras trains float8 on TensorFlow in a graph only.
    model.compile("adam", "mse", run_eagerly=False)
    return model


def test_quantized_to_int8() -> None:
    plain, watched = quantized("int8"), quantized("int8")
    recorded: list[keras_l4.StepBlock] = []
    train(plain)
    train(watched, norms(hooks=[recorded.append]))

    assert same(state(watched), state(plain))
    assert [v.path for v in recorded[0].variables] == [v.path for v in watched.trainable_variables]


def test_scales_of_float8_are_named_and_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    plain, watched = quantized("float8"), quantized("float8")
    recorded: list[keras_l4.StepBlock] = []
    train(plain)
    capsys.readouterr()
    train(watched, TrainingDiagnostics(hooks=[recorded.append]))

    assert same(state(watched), state(plain))
    scales = {v.path for v in watched.trainable_variables if v.overwrite_with_gradient}
    assert scales
    assert not scales & {v.path for v in recorded[0].variables}
    told = capsys.readouterr().out
    assert all(path in told for path in scales)
    assert np.isfinite(recorded[0].values["gradient_norm"]).all()


def test_other_data_after_us(trained: Any) -> None:
    x, y = rows()
    assert trained.evaluate(x, y, verbose=0) > 0
    assert trained.predict(x, verbose=0).shape == y.shape
