"""Models trained with keras_l4 are exported, saved and changed as without it."""

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


# The name of the test does not contain the name of the package: JAX exports the names of callers.
@pytest.mark.skipif(ON == "torch", reason="Keras cannot export a TensorFlow SavedModel from torch")
def test_export_does_not_mention_this_package(trained: Any, tmp_path: Path) -> None:
    trained.export(tmp_path, verbose=False)

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"keras_l4" in path.read_bytes()]


def test_clone_has_the_same_variables_and_trains(trained: Any) -> None:
    clone = keras.models.clone_model(trained)

    assert [v.path for v in clone.variables] == [v.path for v in trained.variables]
    clone.compile("adam", "mse")
    train(clone)


def test_weights_file_loads_into_a_stock_model(trained: Any, tmp_path: Path) -> None:
    trained.save_weights(tmp_path / "w.weights.h5")
    fresh = build()
    fresh.optimizer.build(fresh.trainable_variables)
    fresh.load_weights(tmp_path / "w.weights.h5")

    assert same(state(fresh), state(trained))


@pytest.mark.skipif(ON != "jax", reason="Orbax checkpoints are for JAX")
def test_orbax_checkpoint_is_that_of_a_plain_run(tmp_path: Path) -> None:
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


def test_lora_variables_added_after_compile_are_recorded() -> None:
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
    # On TensorFlow, Keras trains float8 in graph mode only.
    model.compile("adam", "mse", run_eagerly=False)
    return model


def test_int8_model_trains_and_is_recorded() -> None:
    plain, watched = quantized("int8"), quantized("int8")
    recorded: list[keras_l4.StepBlock] = []
    train(plain)
    train(watched, norms(hooks=[recorded.append]))

    assert same(state(watched), state(plain))
    assert [v.path for v in recorded[0].variables] == [v.path for v in watched.trainable_variables]


def test_float8_scales_are_reported_as_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    plain, watched = quantized("float8"), quantized("float8")
    recorded: list[keras_l4.StepBlock] = []
    train(plain)
    capsys.readouterr()
    train(watched, TrainingDiagnostics(hooks=[recorded.append]))

    assert same(state(watched), state(plain))
    scales = {v.path for v in watched.trainable_variables if v.overwrite_with_gradient}
    assert scales
    assert not scales & {v.path for v in recorded[0].variables}
    output = capsys.readouterr().out
    assert all(path in output for path in scales)
    assert np.isfinite(recorded[0].values["gradient_norm"]).all()


def test_evaluate_and_predict_work_after_recording(trained: Any) -> None:
    x, y = rows()
    assert trained.evaluate(x, y, verbose=0) > 0
    assert trained.predict(x, verbose=0).shape == y.shape
