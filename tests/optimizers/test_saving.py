"""Saved files are those of stock Keras, and load with and without keras_l4."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import GradientNorms
from keras_l4.optimizers import instrument
from keras_l4.optimizers.recording import RecordingMixin
from tests.archives import read_hdf5, read_keras_archive, with_public_names
from tests.training import FEATURES, STEPS, build, same, state, train


def stock_adam() -> Any:
    return keras.optimizers.Adam(0.1, amsgrad=True, name="adam")


def our_adam() -> Any:
    return keras_l4.optimizers.Adam(0.1, amsgrad=True, name="adam")


def stock_scaled() -> Any:
    return keras.optimizers.LossScaleOptimizer(stock_adam(), initial_scale=4.0, name="scaled")


def ours_scaled() -> Any:
    return keras.optimizers.LossScaleOptimizer(our_adam(), initial_scale=4.0, name="scaled")


PAIRS = {"plain": (stock_adam, our_adam), "loss scaling": (stock_scaled, ours_scaled)}


@dataclass
class SavedRun:
    """All saved files and the final state of one training of `STEPS` steps."""

    files: dict[str, Path]
    tree: dict[str, Any]
    state: list[np.ndarray]
    iterations: int


class SaveAll(keras.callbacks.Callback):
    """Saves the model while its optimizer is instrumented."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        self.recording = isinstance(optimizer, RecordingMixin) and optimizer.is_recording
        self.model.save(self.folder / "during.keras")
        self.model.save_weights(self.folder / "during.weights.h5")
        self.tree = leaves(self.model)


def leaves(model: Any) -> dict[str, Any]:
    flat = keras.tree.flatten_with_path(model.get_state_tree(value_format="numpy_array"))
    return {"/".join(map(str, path)): np.array(leaf).tolist() for path, leaf in flat}


def saved(make: Any, folder: Path, *callbacks: Any) -> SavedRun:
    model = build(make())
    during = SaveAll(folder)
    checkpoint = keras.callbacks.ModelCheckpoint(folder / "checkpoint.keras", save_freq=STEPS)
    train(model, *callbacks, checkpoint, during)
    assert during.recording == bool(callbacks)
    model.save(folder / "after.keras")
    files = {path.name: path for path in folder.iterdir()}
    return SavedRun(files, during.tree, state(model), int(model.optimizer.iterations))


@pytest.fixture(scope="module", params=PAIRS)
def pair(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def plain(pair: str, tmp_path_factory: pytest.TempPathFactory) -> SavedRun:
    """Returns the files of stock Keras."""
    return saved(PAIRS[pair][0], tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module", params=["instrumented stock", "instrumented ours", "ours"])
def watched(
    request: pytest.FixtureRequest, pair: str, tmp_path_factory: pytest.TempPathFactory
) -> SavedRun:
    """Returns the files of a run with a callback of keras_l4, one of its optimizers, or both."""
    make = PAIRS[pair]["ours" in request.param]
    callbacks = [GradientNorms()] if "instrumented" in request.param else []
    return saved(make, tmp_path_factory.mktemp("watched"), *callbacks)


@pytest.mark.parametrize("file", ["during.keras", "checkpoint.keras", "after.keras"])
def test_archives_are_those_of_stock_keras(plain: SavedRun, watched: SavedRun, file: str) -> None:
    config, weights = read_keras_archive(watched.files[file])
    expected_config, expected_weights = read_keras_archive(plain.files[file])

    assert with_public_names(config) == with_public_names(expected_config)
    assert weights == expected_weights
    assert "keras_l4" not in config


def test_weights_files_are_those_of_stock_keras(plain: SavedRun, watched: SavedRun) -> None:
    file = "during.weights.h5"
    assert read_hdf5(watched.files[file]) == read_hdf5(plain.files[file])


def test_state_trees_are_those_of_stock_keras(plain: SavedRun, watched: SavedRun) -> None:
    assert watched.tree == plain.tree


def load_into(make: Any, path: Path) -> Any:
    model = build(make())
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    return model


def test_weights_and_slots_load_into_stock_and_recording_optimizers(
    pair: str, plain: SavedRun, watched: SavedRun
) -> None:
    to_stock = load_into(PAIRS[pair][0], watched.files["during.weights.h5"])
    to_ours = load_into(PAIRS[pair][1], plain.files["during.weights.h5"])

    for model in (to_stock, to_ours):
        assert same(state(model), plain.state)
        assert int(model.optimizer.iterations) == plain.iterations == STEPS
    # Both continue training alike.
    train(to_stock)
    train(to_ours, GradientNorms())
    assert same(state(to_ours), state(to_stock))


LOADS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "keras_l4":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
import keras

for path in sys.argv[1:]:
    model = keras.saving.load_model(path)
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    assert type(inner) is type(keras.optimizers.Adam()), type(inner)
    moment = keras.ops.convert_to_numpy(inner._momentums[0])
    print(int(model.optimizer.iterations), moment.tobytes().hex())
"""


def test_saved_model_loads_without_keras_l4(tmp_path: Path) -> None:
    files, expected = [], []
    for name, (_, make) in PAIRS.items():
        (tmp_path / name).mkdir()
        run = saved(make, tmp_path / name, GradientNorms())
        files += [str(path) for path in run.files.values() if path.suffix == ".keras"]
        _, moment, *_ = (x for x in run.state if x.shape == (FEATURES, 2))
        expected += [f"{STEPS} {moment.tobytes().hex()}"] * 3
    command = [sys.executable, "-c", LOADS, *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_config_names_the_public_keras_class(tmp_path: Path) -> None:
    build(our_adam()).save(tmp_path / "m.keras")
    config = json.loads(read_keras_archive(tmp_path / "m.keras")[0])["compile_config"]["optimizer"]

    assert config["module"] == "keras.optimizers"
    assert config["class_name"] == "Adam"
    assert config["registered_name"] is None


def test_weights_load_into_an_instrumented_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    source = build(stock_adam())
    train(source, epochs=2)
    source.save_weights(path)
    target = build(stock_adam())
    load = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: target.load_weights(path))
    train(target, GradientNorms(), load)

    assert same(state(target), state(source))


@keras.saving.register_keras_serializable("package", name="Renamed")
class UserOptimizer(keras.optimizers.SGD):
    """A user's optimizer, registered under another name than that of its class."""


def test_registered_class_is_saved_under_its_registered_name(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    model = build(UserOptimizer(0.1))
    instrument(model.optimizer)
    model.save(path)

    config = json.loads(read_keras_archive(path)[0])["compile_config"]["optimizer"]
    assert config["registered_name"] == "package>Renamed"
    assert type(keras.saving.load_model(path).optimizer) is UserOptimizer
