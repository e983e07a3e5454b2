"""The flight recorder does not disturb training, and its capsule replays as it was recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import FlightRecorder, TrainingDiagnostics
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.step_replay import replay_steps
from keras_l4.keras_internals import random_state
from tests.training import BATCH, STEPS, build, rows, state, train

BAD = 2  # The last of three batches has a NaN.
EAGER_ON_TENSORFLOW = {"run_eagerly": keras.backend.backend() == "tensorflow"}


def quiet_recorder(log_dir: Path, **options: Any) -> FlightRecorder:
    return FlightRecorder(log_dir, **({"verbose": 0} | options))


def dropout_model(**compiled: Any) -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(4, activation="relu"), keras.layers.Dropout(0.5)]
    layers += [keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    return build(layers=layers, **compiled)


def load_capsule(log_dir: Path) -> Capsule:
    [folder] = log_dir.glob("capsule-*")
    return Capsule.load(folder)


def test_weights_equal_those_of_a_run_without_it(tmp_path: Path) -> None:
    plain = dropout_model()
    train(plain, epochs=2)
    recorded = dropout_model()
    train(recorded, quiet_recorder(tmp_path, snapshot_every=2), epochs=2)
    for one, other in zip(state(plain), state(recorded), strict=True):
        np.testing.assert_array_equal(one, other)


def test_finite_run_writes_no_capsule(tmp_path: Path) -> None:
    callback = quiet_recorder(tmp_path)
    train(build(), callback)
    assert callback.capsule is None
    assert not list(tmp_path.glob("capsule-*"))


def test_capsule_contains_the_batches_since_the_snapshot(tmp_path: Path) -> None:
    train(build(), quiet_recorder(tmp_path), nan_at=BAD)
    capsule = load_capsule(tmp_path)
    assert capsule.metadata["event"]["step"] == BAD + 1
    assert len(capsule.batches) == STEPS
    x, y = rows(nan_at=BAD)
    for step, (batch, _) in enumerate(capsule.batches):
        np.testing.assert_array_equal(batch[0], x[step * BATCH : (step + 1) * BATCH])
        np.testing.assert_array_equal(batch[1], y[step * BATCH : (step + 1) * BATCH])


@pytest.mark.parametrize("compiled", [EAGER_ON_TENSORFLOW, {}], ids=["eager", "traced"])
def test_replayed_steps_match_the_recording(tmp_path: Path, compiled: dict[str, Any]) -> None:
    train(dropout_model(**compiled), quiet_recorder(tmp_path), nan_at=BAD)
    capsule = load_capsule(tmp_path)
    keras.utils.set_random_seed(7)
    steps = list(replay_steps(dropout_model(**compiled), capsule))
    assert [step.number for step in steps] == [1, 2, 3]
    assert [step.is_finite for step in steps] == [True, True, False]
    for step, norms, loss in zip(
        steps[:BAD], capsule.rows["gradient_norm"], capsule.rows["loss"], strict=False
    ):
        np.testing.assert_allclose(step.gradient_norms, norms, rtol=1e-6)
        np.testing.assert_allclose(step.loss, loss, rtol=1e-6)


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = rows(nan_at=BAD)
        part = slice(index * BATCH, (index + 1) * BATCH)
        return x[part], y[part]


def generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    yield from (Batches()[i] for i in range(STEPS))


def dataset() -> Any:
    tensorflow = pytest.importorskip("tensorflow")
    return tensorflow.data.Dataset.from_tensor_slices(rows(nan_at=BAD)).batch(BATCH)


def data_loader() -> Any:
    torch = pytest.importorskip("torch")
    tensors = map(torch.from_numpy, rows(nan_at=BAD))
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), BATCH)


@pytest.mark.parametrize("source", [Batches, generator, dataset, data_loader])
def test_batches_of_every_data_source_are_buffered(
    tmp_path: Path, source: Callable[[], Any]
) -> None:
    build().fit(source(), shuffle=False, verbose=0, callbacks=[quiet_recorder(tmp_path)])
    batches = load_capsule(tmp_path).batches
    expected = Batches()
    assert len(batches) == STEPS
    for i, (batch, _) in enumerate(batches):
        np.testing.assert_array_equal(batch[0], expected[i][0])


def test_steps_per_execution_are_buffered(tmp_path: Path, backend: str) -> None:
    if backend == "torch":
        pytest.skip("Keras has no steps_per_execution on torch")
    model = build(steps_per_execution=2)
    train(model, quiet_recorder(tmp_path), nan_at=1, epochs=2)
    capsule = load_capsule(tmp_path)
    assert capsule.metadata["event"]["step"] == 2
    assert len(capsule.batches) >= 2


def test_snapshot_is_taken_every_snapshot_every_steps(tmp_path: Path) -> None:
    train(build(), quiet_recorder(tmp_path, snapshot_every=2), nan_at=BAD)
    capsule = load_capsule(tmp_path)
    assert capsule.metadata["step"] == 2
    assert len(capsule.batches) == 1


def test_small_max_bytes_makes_snapshots_more_frequent(tmp_path: Path) -> None:
    size = sum(x[:BATCH].nbytes for x in rows()) + sum(x.nbytes for x in random_state())
    with pytest.warns(RuntimeWarning, match="more often than every 100 steps"):
        train(build(), quiet_recorder(tmp_path, max_bytes=2 * size), nan_at=BAD)
    assert load_capsule(tmp_path).metadata["step"] == 2


@pytest.mark.parametrize("nan_at", [None, BAD])
def test_batch_larger_than_max_bytes_switches_the_recorder_off(
    tmp_path: Path, nan_at: int | None
) -> None:
    plain, recorded = build(), build()
    train(plain, nan_at=nan_at)
    with pytest.warns(RuntimeWarning, match="larger max_bytes"):
        train(recorded, quiet_recorder(tmp_path, max_bytes=8), nan_at=nan_at)
    for one, other in zip(state(plain), state(recorded), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not list(tmp_path.glob("capsule-*"))


def test_bad_slot_writes_a_capsule(tmp_path: Path) -> None:
    model = build()
    train(model)
    slot = next(v for v in model.optimizer.variables if "velocity" in v.path)
    slot.assign(np.full(slot.shape, np.inf, "float32"))
    train(model, quiet_recorder(tmp_path))
    capsule = load_capsule(tmp_path)
    at = capsule.metadata["variables"]["optimizer"].index(slot.path)
    assert np.isinf(capsule.state["optimizer"][at]).all()


def test_fit_writes_only_the_first_capsule(tmp_path: Path) -> None:
    callback = quiet_recorder(tmp_path)
    train(build(), callback, nan_at=0, epochs=2)
    assert [folder.name for folder in tmp_path.glob("capsule-*")] == ["capsule-1"]
    assert callback.capsule == tmp_path / "capsule-1"


def test_capsule_written_during_training_has_the_configuration(tmp_path: Path) -> None:
    train(build(), quiet_recorder(tmp_path, flush_every=1), nan_at=0)
    metadata = load_capsule(tmp_path).metadata
    assert metadata["model"] is not None, metadata["model_error"]
    assert len(metadata["structures"]) < STEPS


def test_capsule_is_written_before_another_callback_raises(tmp_path: Path) -> None:
    first = TrainingDiagnostics(tmp_path, on_nonfinite="raise", verbose=0)
    with pytest.raises(FloatingPointError):
        train(build(), first, quiet_recorder(tmp_path), nan_at=BAD)
    assert load_capsule(tmp_path).metadata["event"]["step"] == BAD + 1


@pytest.mark.parametrize(("module", "name"), [(os, "rename"), (np, "savez")])
def test_full_disk_leaves_no_partial_capsule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, name, fail)
    model = build()
    with pytest.warns(RuntimeWarning, match="No space left"):
        train(model, quiet_recorder(tmp_path), nan_at=BAD)
    assert model.optimizer.iterations == STEPS
    assert [path.name for path in tmp_path.iterdir()] == ["diagnostics"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"snapshot_every": 0}, ValueError),
        ({"max_bytes": 1.5}, TypeError),
        ({"on_nonfinite": "cry"}, ValueError),
    ],
)
def test_invalid_argument_is_named(tmp_path: Path, arguments: dict[str, Any], error: type) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        FlightRecorder(tmp_path, **arguments)


def test_training_diagnostics_can_have_a_flight_recorder(tmp_path: Path) -> None:
    callback = TrainingDiagnostics(tmp_path, flight_recorder=True, verbose=0)
    train(build(), callback, nan_at=BAD)
    assert callback.capsule == tmp_path / f"capsule-{BAD + 1}"
    with pytest.raises(ValueError, match="log_dir"):
        TrainingDiagnostics(flight_recorder=True)


def loss_without_a_gradient(y: Any, predicted: Any) -> Any:
    """Squared error plus a term that is NaN where a target is, without a gradient."""
    error = keras.ops.where(keras.ops.isnan(y), 0.0, y - predicted)
    return keras.ops.square(error) + keras.ops.stop_gradient(0.0 * y)


@pytest.mark.parametrize("bad", [0, STEPS - 1])
def test_nan_loss_with_finite_gradients_writes_a_capsule(tmp_path: Path, bad: int) -> None:
    x, y = rows()
    y[bad * BATCH] = np.nan
    callback = quiet_recorder(tmp_path)
    model = build(loss=loss_without_a_gradient)
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    assert callback.capsule is not None
    found = keras_l4.replay(callback.capsule, build(loss=loss_without_a_gradient))
    assert found.step == bad + 1
    assert found.origin is not None
    assert found.origin.phase == "data"
