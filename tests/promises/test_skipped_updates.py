"""An update whose gradients are not finite is skipped if the user asks for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.callbacks import FlightRecorder, NonFiniteMonitor
from tests.training import BATCH, STEPS, build, rows, same, state, train

NAN_BATCH = 1  # The second of three.
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.1, use_ema=True, ema_overwrite_frequency=2),
    "schedule": lambda: keras.optimizers.RMSprop(
        keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5), clipnorm=0.1
    ),
    "two": lambda: keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            keras.optimizers.Adam(0.1), {".*kernel": keras.optimizers.SGD(0.1)}
        )
    ),
    "accumulation": lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
}
MODES = {
    "tensorflow": [{"run_eagerly": True}, {"run_eagerly": False}, {"jit_compile": True}],
    "jax": [{}, {"run_eagerly": True}],
    "torch": [{}],
}[keras.backend.backend()]


def recorder(log_dir: Path, on_nonfinite: Any = "skip", **options: Any) -> FlightRecorder:
    return FlightRecorder(log_dir, on_nonfinite=on_nonfinite, **({"verbose": 0} | options))


def network(optimizer: Any = None, **compiled: Any) -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    fixed = {"run_eagerly": False} if "jit_compile" in compiled else {}
    return build(optimizer or keras.optimizers.SGD(0.1), layers, **(fixed | compiled))


def rows_without_nan_batch() -> tuple[np.ndarray, np.ndarray]:
    is_kept = np.arange(STEPS * BATCH) // BATCH != NAN_BATCH
    x, y = rows()
    return x[is_kept], y[is_kept]


def fit_good_batches(model: Any, epochs: int = 1, batches: int = STEPS - 1) -> Any:
    x, y = (part[: batches * BATCH] for part in rows_without_nan_batch())
    return model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, epochs=epochs)


CELLS = [(name, MODES[i % len(MODES)]) for i, name in enumerate(OPTIMIZERS)]


@pytest.mark.parametrize(("name", "mode"), CELLS, ids=str)
def test_skipped_batch_has_no_effect(tmp_path: Path, name: str, mode: dict[str, Any]) -> None:
    make = OPTIMIZERS[name]
    skipping, plain = network(make(), **mode), network(make(), **mode)
    history = train(skipping, recorder(tmp_path), nan_at=NAN_BATCH, epochs=2).history
    expected = fit_good_batches(plain, epochs=2).history
    assert same(state(skipping), state(plain))
    assert history["num_skipped_steps"] == [1, 1]
    np.testing.assert_array_equal(history["loss"], expected["loss"])


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_finite_run_is_not_changed(tmp_path: Path, mode: dict[str, Any]) -> None:
    guarded, plain = network("adam", **mode), network("adam", **mode)
    train(guarded, recorder(tmp_path), epochs=2)
    train(plain, epochs=2)
    assert same(state(guarded), state(plain))


def test_skipped_step_is_reported_and_saved(tmp_path: Path, capsys: Any) -> None:
    callback = recorder(tmp_path, verbose=1)
    train(network(), callback, nan_at=NAN_BATCH)
    output = capsys.readouterr().out
    assert f"step {NAN_BATCH + 1}" in output
    assert "its update was not applied" in output
    assert "steps skipped, since their gradients were not finite: 1" in output
    assert callback.capsule == tmp_path / f"capsule-{NAN_BATCH + 1}"


def test_too_many_skips_in_a_row_raise(tmp_path: Path) -> None:
    model = network()
    x, y = rows()
    x[BATCH:] = np.nan
    with pytest.raises(FloatingPointError, match="max_skips=1"):
        model.fit(
            x, y, batch_size=BATCH, verbose=0, shuffle=False, epochs=9,
            callbacks=[recorder(tmp_path, max_skips=1)],
        )  # fmt: skip
    assert all(np.isfinite(x).all() for x in state(model))


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("source", ["recorder", "monitor"])
def test_stop_leaves_the_last_finite_weights(
    tmp_path: Path, source: str, mode: dict[str, Any]
) -> None:
    stopped, plain = network("adam", **mode), network("adam", **mode)
    callbacks = {
        "recorder": [recorder(tmp_path, "stop")],
        "monitor": [recorder(tmp_path, "warn"), NonFiniteMonitor(on_nonfinite="stop", verbose=0)],
    }[source]
    train(stopped, *callbacks, nan_at=NAN_BATCH, epochs=5)
    fit_good_batches(plain, batches=NAN_BATCH)
    assert same(state(stopped), state(plain))


def test_raise_leaves_the_last_finite_weights(tmp_path: Path) -> None:
    stopped, plain = network("adam"), network("adam")
    with pytest.raises(FloatingPointError, match=f"are those before step {NAN_BATCH + 1}"):
        train(stopped, recorder(tmp_path, "raise"), nan_at=NAN_BATCH, epochs=5)
    fit_good_batches(plain, batches=NAN_BATCH)
    assert same(state(stopped), state(plain))


def test_next_fit_skips_no_update(tmp_path: Path) -> None:
    model, plain = network(), network()
    callback = recorder(tmp_path, "stop")
    train(model, callback, nan_at=NAN_BATCH)
    train(model, callback)
    fit_good_batches(plain, batches=NAN_BATCH)
    train(plain)
    assert same(state(model), state(plain))


def test_update_is_skipped_if_an_unrecorded_gradient_is_nan(tmp_path: Path) -> None:
    skipping, plain = network(), network()
    train(skipping, recorder(tmp_path, include="dense_1/bias"), nan_at=NAN_BATCH)
    fit_good_batches(plain)
    assert same(state(skipping), state(plain))


def test_layer_state_is_restored_if_loss_scaling_skips(tmp_path: Path) -> None:
    layers = [
        keras.layers.Dense(4, dtype="mixed_float16"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(1),
    ]
    model = build(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)), layers)
    train(model, recorder(tmp_path), nan_at=NAN_BATCH)
    assert all(np.isfinite(x).all() for x in state(model))


def test_update_is_skipped_inside_an_execution(tmp_path: Path, backend: str) -> None:
    if backend == "torch":
        pytest.skip("Keras has no steps_per_execution on torch")
    mode = {"steps_per_execution": 2, "run_eagerly": False}
    skipping, plain = network("adam", **mode), network("adam", **mode)
    history = train(skipping, recorder(tmp_path), nan_at=NAN_BATCH).history
    fit_good_batches(plain)
    assert same(state(skipping), state(plain))
    assert np.isfinite(history["loss"]).all()


def test_model_has_its_own_train_step_after_fit(tmp_path: Path) -> None:
    model = network()
    train(model, recorder(tmp_path))
    assert "train_step" not in vars(model)
    own = model.train_step
    vars(model)["train_step"] = own
    train(model, recorder(tmp_path))
    assert vars(model)["train_step"] is own


def test_skip_and_stop_are_contradictory(tmp_path: Path) -> None:
    callbacks = [recorder(tmp_path), NonFiniteMonitor(on_nonfinite="stop")]
    with pytest.raises(ValueError, match="another callback asks for"):
        train(network(), *callbacks)


def test_unknown_on_nonfinite_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='on_nonfinite="drop"'.replace('"', ".")):
        recorder(tmp_path, "drop")
