"""Remedies: the recorded steps, replayed with one change each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4 import Replay, replay
from keras_l4.command import main
from keras_l4.forensics.remedies import Remedy, registry
from keras_l4.observers.snapshots import FlightRecorderObserver
from tests.forensics import faulty
from tests.forensics.faults import BATCH
from tests.forensics.matrix import record
from tests.training import build, rows


@pytest.fixture(autouse=True)
def _ignore_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras reports the loss from a thread, maybe one step late; gradients come with their step."""
    monkeypatch.setattr(FlightRecorderObserver, "on_loss", lambda self, loss: None)


def exponential_model(optimizer: Any, eagerly: bool = True) -> Any:
    """Returns a model of exp(w x) with w = 0. At x = 1 it overflows from w = 88.8 on."""
    inputs = keras.Input((1,))
    outputs = faulty.Exp()(layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs))
    model = keras.Model(inputs, outputs)
    # By default eager, since compiling takes longer.
    model.compile(optimizer, "mse", run_eagerly=eagerly)
    return model


def replay_with_remedies(model: Any, y: float, folder: Path) -> Replay:
    ones = np.ones((18, 1), "float32")
    return replay(record(model, ones, ones * y, folder), model, try_remedies=True)


def finite_remedies(result: Replay) -> set[str]:
    return {trial.remedy for trial in result.trials if trial.is_finite}


def not_applicable(result: Replay) -> set[str]:
    return {trial.remedy for trial in result.trials if trial.is_finite is None}


# dL/dw = 2 (1 - 2001) = -4000 at first, so that the first step leads to w = 0.03 * 4000 = 120.
@pytest.mark.parametrize(
    "rate", [0.03, keras.optimizers.schedules.ExponentialDecay(0.03, 1, 0.9)], ids=["rate", "decay"]
)
def test_overflow_of_a_too_long_step_is_remedied_by_a_shorter_one(
    tmp_path: Path, rate: Any
) -> None:
    result = replay_with_remedies(exponential_model(keras.optimizers.SGD(rate)), 2001.0, tmp_path)
    assert result.step == 2
    assert finite_remedies(result) == {"learning rate x 0.3", "global_clipnorm 1"}
    assert {"epsilon x 100", "float32 in the layer", "float32 in all layers"} == not_applicable(
        result
    )


def test_compiled_step_is_compiled_again_for_each_remedy(tmp_path: Path) -> None:
    model = exponential_model(keras.optimizers.SGD(0.03), eagerly=False)
    assert "global_clipnorm 1" in finite_remedies(replay_with_remedies(model, 2001.0, tmp_path))


@pytest.mark.any_backend
def test_reported_loss_is_that_of_the_last_step(tmp_path: Path) -> None:
    result = replay_with_remedies(exponential_model(keras.optimizers.SGD(0.03)), 2001.0, tmp_path)
    clipped = next(trial for trial in result.trials if trial.remedy == "global_clipnorm 1")
    # After two steps of length 0.03.
    assert clipped.loss == pytest.approx((np.exp(0.06) - 2001) ** 2, rel=1e-5)
    assert (clipped.num_finite, clipped.num_steps) == (3, 3)
    shortened = next(trial for trial in result.trials if trial.remedy == "without the batch")
    assert (shortened.num_finite, shortened.num_steps, shortened.loss) == (1, 2, None)


# The gradient is -1, so that Adam's first step is 100 / (1 + epsilon / 0.0316): 94 or 14.
@pytest.mark.any_backend
def test_too_small_epsilon_is_remedied_by_a_larger_one(tmp_path: Path) -> None:
    optimizer = keras.optimizers.Adam(100.0, epsilon=2e-3)
    assert "epsilon x 100" in finite_remedies(
        replay_with_remedies(exponential_model(optimizer), 1.5, tmp_path)
    )


@pytest.mark.any_backend
def test_bad_data_is_remedied_only_by_leaving_out_the_batch(tmp_path: Path) -> None:
    model, undisturbed = build(run_eagerly=True), build(run_eagerly=True)
    x, y = rows(nan_at=1)
    x, y = x[: 2 * BATCH], y[: 2 * BATCH]
    result = replay(record(model, x, y, tmp_path), model, try_remedies=True)
    assert finite_remedies(result) == {"without the batch"}
    assert result.trials[-1].loss == pytest.approx(
        undisturbed.train_on_batch(x[:BATCH], y[:BATCH]), rel=1e-6
    )


@faulty.register
class Detour(layers.Layer):
    """The identity, by way of a number that overflows float16."""

    def call(self, x: Any) -> Any:
        return x * 3e4 / 3e4


@pytest.mark.parametrize(
    ("layer", "remedies"),
    [
        (Detour, {"float32 in the layer", "float32 in all layers"}),
        # The next layer casts the output to float16, where it overflows again.
        (lambda **options: faulty.Scale(3e4, **options), {"float32 in all layers"}),
    ],
    ids=["within", "between"],
)
def test_float16_overflow_is_remedied_by_float32(
    tmp_path: Path, layer: Any, remedies: set[str]
) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    stack = [layers.Dense(4, kernel_initializer="ones"), layer(name="faulty"), layers.Dense(1)]
    # Eager, since a compiler simplifies x * 3e4 / 3e4.
    optimizer = keras.optimizers.SGD(1e-12)
    model = faulty.build(stack, optimizer=optimizer, auto_scale_loss=False, run_eagerly=True)
    ones = np.ones((18, faulty.FEATURES), "float32")
    result = replay(record(model, ones, ones[:, :1], tmp_path), model, try_remedies=True)
    assert result.origin is not None
    assert result.origin.layer == "sequential/faulty"
    assert finite_remedies(result) == remedies
    assert [x.dtype_policy.name for x in model.layers] == ["mixed_float16"] * 3


class Float16Only(layers.Layer):
    def call(self, x: Any) -> Any:
        if keras.backend.standardize_dtype(x.dtype) != "float16":
            raise TypeError("planted")
        return x * 3e4


@pytest.mark.any_backend
def test_remedy_under_which_the_model_fails_is_reported(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    stack = [Float16Only(name="faulty"), layers.Dense(1)]
    model = faulty.build(stack, optimizer="sgd", auto_scale_loss=False, run_eagerly=True)
    x = np.full((18, faulty.FEATURES), 4, "float32")
    result = replay(record(model, x, x[:, :1], tmp_path), model, try_remedies=True)
    reasons = {trial.remedy: trial.reason for trial in result.trials}
    assert "planted" in reasons["float32 in the layer"]
    assert model.layers[0].compute_dtype == "float16"


def test_remedies_restore_the_model(tmp_path: Path) -> None:
    model = build(keras.optimizers.Adam(clipvalue=0.5), run_eagerly=True)
    before = model.optimizer.get_config()
    variables = [v.path for v in model.optimizer.variables]
    replay(record(model, *rows(nan_at=2), tmp_path), model, try_remedies=True)
    assert model.optimizer.get_config() == before
    assert [v.path for v in model.optimizer.variables][: len(variables)] == variables


@pytest.mark.any_backend
def test_command_prints_a_table_of_remedies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsule = record(build(run_eagerly=True), *rows(nan_at=2), tmp_path)
    assert main(["replay", str(capsule), "--try", "--json"]) == 0
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert {trial["remedy"] for trial in trials} == set(registry)
    main(["replay", str(capsule), "--try"])
    printed = capsys.readouterr().out.splitlines()
    [line] = [line for line in printed if line.startswith("without the batch")]
    assert "yes, 3 of 3 steps" in line


@pytest.mark.any_backend
def test_remedies_are_not_tried_by_default(tmp_path: Path) -> None:
    model = build()
    result = replay(record(model, *rows(nan_at=0), tmp_path), model)
    assert not result.trials
    assert "remedy" not in str(result)


@pytest.mark.any_backend
def test_second_remedy_of_a_name_is_rejected() -> None:
    with pytest.raises(ValueError, match="already uses"):

        class Second(Remedy):
            name = "without the batch"
