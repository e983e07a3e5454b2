"""The flight recorder harms nothing, and its capsule runs again as it was recorded."""

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
from keras_l4.forensics.rerun import rerun
from keras_l4.keras_internals import state as random_state
from tests.training import BATCH, STEPS, build, rows, state, train

BAD = 2  # The batch with a NaN: the third of three.


def recorder(log_dir: Path, **options: Any) -> FlightRecorder:
    return FlightRecorder(log_dir, **({"verbose": 0} | options))


def dropout_model(**compiled: Any) -> Any:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(4, activation="relu"), keras.layers.Dropout(0.5)]
    layers += [keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    return build(layers=layers, **compiled)


def saved(log_dir: Path) -> Capsule:
    [folder] = log_dir.glob("capsule-*")
    return Capsule.load(folder)


def test_weights_are_those_of_a_run_without_it(tmp_path: Path) -> None:
    plain = dropout_model()
    train(plain, epochs=2)
    watched = dropout_model()
    train(watched, recorder(tmp_path, snapshot_every=2), epochs=2)
    for one, other in zip(state(plain), state(watched), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_capsule_of_a_healthy_run(tmp_path: Path) -> None:
    callback = recorder(tmp_path)
    train(build(), callback)
    assert callback.capsule is None
    assert not list(tmp_path.glob("capsule-*"))


def test_the_capsule_has_the_batches_since_the_state(tmp_path: Path) -> None:
    train(build(), recorder(tmp_path), nan_at=BAD)
    capsule = saved(tmp_path)
    assert capsule.about["event"]["step"] == BAD + 1
    assert len(capsule.batches) == STEPS
    x, y = rows(nan_at=BAD)
    for step, (batch, _) in enumerate(capsule.batches):
        np.testing.assert_array_equal(batch[0], x[step * BATCH : (step + 1) * BATCH])
        np.testing.assert_array_equal(batch[1], y[step * BATCH : (step + 1) * BATCH])


@pytest.mark.parametrize("compiled", [{}, {"run_eagerly": False}], ids=["default", "traced"])
def test_steps_run_again_as_they_were_recorded(tmp_path: Path, compiled: dict[str, Any]) -> None:
    train(dropout_model(**compiled), recorder(tmp_path), nan_at=BAD)
    capsule = saved(tmp_path)
    keras.utils.set_random_seed(7)
    steps = list(rerun(dropout_model(**compiled), capsule))
    assert [step.number for step in steps] == [1, 2, 3]
    assert [step.is_finite for step in steps] == [True, True, False]
    for step, norms, loss in zip(
        steps[:BAD], capsule.rows["gradient_norm"], capsule.rows["loss"], strict=False
    ):
        np.testing.assert_allclose(step.norms, norms, rtol=1e-6)
        np.testing.assert_allclose(step.loss, loss, rtol=1e-6)


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = rows(nan_at=BAD)
        part = slice(index * BATCH, (index + 1) * BATCH)
        return x[part], y[part]


def a_generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    yield from (Batches()[i] for i in range(STEPS))


def a_dataset() -> Any:
    tensorflow = pytest.importorskip("tensorflow")
    return tensorflow.data.Dataset.from_tensor_slices(rows(nan_at=BAD)).batch(BATCH)


def a_loader() -> Any:
    torch = pytest.importorskip("torch")
    tensors = map(torch.from_numpy, rows(nan_at=BAD))
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), BATCH)


@pytest.mark.parametrize("source", [Batches, a_generator, a_dataset, a_loader])
def test_batches_are_seen_wherever_they_come_from(
    tmp_path: Path, source: Callable[[], Any]
) -> None:
    build().fit(source(), shuffle=False, verbose=0, callbacks=[recorder(tmp_path)])
    batches = saved(tmp_path).batches
    expected = Batches()
    assert len(batches) == STEPS
    for i, (batch, _) in enumerate(batches):
        np.testing.assert_array_equal(batch[0], expected[i][0])


def test_several_steps_per_execution(tmp_path: Path, backend: str) -> None:
    if backend == "torch":
        pytest.skip("Keras has no steps_per_execution on torch")
    model = build(steps_per_execution=2, run_eagerly=False)
    train(model, recorder(tmp_path), nan_at=1, epochs=2)
    capsule = saved(tmp_path)
    assert capsule.about["event"]["step"] == 2
    assert len(capsule.batches) >= 2


def test_the_state_is_kept_every_so_often(tmp_path: Path) -> None:
    train(build(), recorder(tmp_path, snapshot_every=2), nan_at=BAD)
    capsule = saved(tmp_path)
    assert capsule.about["step"] == 2
    assert len(capsule.batches) == 1


def test_room_for_two_batches(tmp_path: Path) -> None:
    size = sum(x[:BATCH].nbytes for x in rows()) + sum(x.nbytes for x in random_state())
    with pytest.warns(RuntimeWarning, match="more often than every 100 steps"):
        train(build(), recorder(tmp_path, max_bytes=2 * size), nan_at=BAD)
    assert saved(tmp_path).about["step"] == 2


@pytest.mark.parametrize("nan_at", [None, BAD])
def test_no_room_for_a_batch(tmp_path: Path, nan_at: int | None) -> None:
    plain, watched = build(), build()
    train(plain, nan_at=nan_at)
    with pytest.warns(RuntimeWarning, match="larger max_bytes"):
        train(watched, recorder(tmp_path, max_bytes=8), nan_at=nan_at)
    for one, other in zip(state(plain), state(watched), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not list(tmp_path.glob("capsule-*"))


def test_a_slot_that_is_not_finite(tmp_path: Path) -> None:
    model = build()
    train(model)
    slot = next(v for v in model.optimizer.variables if "velocity" in v.path)
    slot.assign(np.full(slot.shape, np.inf, "float32"))
    train(model, recorder(tmp_path))
    capsule = saved(tmp_path)
    at = capsule.about["variables"]["optimizer"].index(slot.path)
    assert np.isinf(capsule.state["optimizer"][at]).all()


def test_only_the_first_of_a_fit(tmp_path: Path) -> None:
    callback = recorder(tmp_path)
    train(build(), callback, nan_at=0, epochs=2)
    assert [folder.name for folder in tmp_path.glob("capsule-*")] == ["capsule-1"]
    assert callback.capsule == tmp_path / "capsule-1"


def test_the_configuration_is_there_while_it_trains(tmp_path: Path) -> None:
    train(build(), recorder(tmp_path, flush_every=1), nan_at=0)
    about = saved(tmp_path).about
    assert about["model"] is not None, about["model_error"]
    assert len(about["structures"]) < STEPS


def test_a_capsule_before_another_callback_raises(tmp_path: Path) -> None:
    first = TrainingDiagnostics(tmp_path, action="raise", verbose=0)
    with pytest.raises(FloatingPointError):
        train(build(), first, recorder(tmp_path), nan_at=BAD)
    assert saved(tmp_path).about["event"]["step"] == BAD + 1


@pytest.mark.parametrize(("module", "name"), [(os, "rename"), (np, "savez")])
def test_a_full_disk_leaves_no_capsule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, name, fail)
    model = build()
    with pytest.warns(RuntimeWarning, match="No space left"):
        train(model, recorder(tmp_path), nan_at=BAD)
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
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], error: type) -> None:
    with pytest.raises(error, match=next(iter(arguments)) + "|action"):
        FlightRecorder(tmp_path, **arguments)


def test_training_diagnostics_has_one_too(tmp_path: Path) -> None:
    callback = TrainingDiagnostics(tmp_path, flight_recorder=True, verbose=0)
    train(build(), callback, nan_at=BAD)
    assert callback.capsule == tmp_path / f"capsule-{BAD + 1}"
    with pytest.raises(ValueError, match="log_dir"):
        TrainingDiagnostics(flight_recorder=True)


def loss_without_a_gradient(y: Any, predicted: Any) -> Any:
    """NaN where a target is, in a term that passes nothing on."""
    error = keras.ops.where(keras.ops.isnan(y), 0.0, y - predicted)
    return keras.ops.square(error) + keras.ops.stop_gradient(0.0 * y)


@pytest.mark.parametrize("bad", [0, STEPS - 1])
def test_a_loss_that_is_nan_though_no_gradient_is(tmp_path: Path, bad: int) -> None:
    x, y = rows()
    y[bad * BATCH] = np.nan
    callback = recorder(tmp_path)
    model = build(loss=loss_without_a_gradient)
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    assert callback.capsule is not None
    found = keras_l4.replay(callback.capsule, build(loss=loss_without_a_gradient))
    assert found.step == bad + 1
    assert found.birth is not None
    assert found.birth.phase == "data"
