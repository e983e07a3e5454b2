"""What would have helped: the recorded steps, run again with one change each."""

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
from tests.forensics import sick
from tests.forensics.causes import BATCH
from tests.forensics.cells import recorded
from tests.training import build, rows


@pytest.fixture(autouse=True)
def _told_by_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras tells the loss from a thread, maybe after the next step; gradients come by their step."""
    monkeypatch.setattr(FlightRecorderObserver, "note_loss", lambda self, loss: None)


def exponential(optimizer: Any, eagerly: bool = True) -> Any:
    """y = exp(w x), of which w = 88.8 is too much where x = 1; w is 0 at first."""
    inputs = keras.Input((1,))
    outputs = sick.Exp()(layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs))
    model = keras.Model(inputs, outputs)
    # Most is as true of what is compiled, which takes longer.
    model.compile(optimizer, "mse", run_eagerly=eagerly)
    return model


def tried(model: Any, y: float, folder: Path) -> Replay:
    ones = np.ones((18, 1), "float32")
    return replay(recorded(model, ones, ones * y, folder), model, try_remedies=True)


def survivors(result: Replay) -> set[str]:
    return {trial.change for trial in result.trials if trial.survived}


def left_out(result: Replay) -> set[str]:
    return {trial.change for trial in result.trials if trial.survived is None}


# dL/dw = 2 (1 - 2000) = -4000 at first: the first step, 0.03 long per unit, leads to w = 120.
@pytest.mark.parametrize(
    "rate", [0.03, keras.optimizers.schedules.ExponentialDecay(0.03, 1, 0.9)], ids=["rate", "decay"]
)
def test_a_step_that_was_too_long(tmp_path: Path, rate: Any) -> None:
    result = tried(exponential(keras.optimizers.SGD(rate)), 2001.0, tmp_path)
    assert result.step == 2
    assert survivors(result) == {"learning rate x 0.3", "global_clipnorm 1"}
    assert {"epsilon x 100", "float32 in the layer", "float32 in all layers"} == left_out(result)


def test_what_is_compiled_is_compiled_anew(tmp_path: Path) -> None:
    model = exponential(keras.optimizers.SGD(0.03), eagerly=False)
    assert "global_clipnorm 1" in survivors(tried(model, 2001.0, tmp_path))


@pytest.mark.any_backend
def test_the_loss_is_that_of_the_last_step(tmp_path: Path) -> None:
    result = tried(exponential(keras.optimizers.SGD(0.03)), 2001.0, tmp_path)
    clipped = next(trial for trial in result.trials if trial.change == "global_clipnorm 1")
    # Two steps of length 0.03.
    assert clipped.loss == pytest.approx((np.exp(0.06) - 2001) ** 2, rel=1e-5)
    assert (clipped.num_finite, clipped.num_steps) == (3, 3)
    skipped = next(trial for trial in result.trials if trial.change == "without the batch")
    assert (skipped.num_finite, skipped.num_steps, skipped.loss) == (1, 2, None)


# The gradient is -1: Adam's first step is 100 / (1 + epsilon / 0.0316), 94 or 14.
@pytest.mark.any_backend
def test_an_epsilon_that_was_too_small(tmp_path: Path) -> None:
    optimizer = keras.optimizers.Adam(100.0, epsilon=2e-3)
    assert "epsilon x 100" in survivors(tried(exponential(optimizer), 1.5, tmp_path))


@pytest.mark.any_backend
def test_nothing_but_to_leave_out_the_batch(tmp_path: Path) -> None:
    model, healthy = build(run_eagerly=True), build(run_eagerly=True)
    x, y = rows(nan_at=1)
    x, y = x[: 2 * BATCH], y[: 2 * BATCH]
    result = replay(recorded(model, x, y, tmp_path), model, try_remedies=True)
    assert survivors(result) == {"without the batch"}
    assert result.trials[-1].loss == pytest.approx(
        healthy.train_on_batch(x[:BATCH], y[:BATCH]), rel=1e-6
    )


@sick.register
class Detour(layers.Layer):
    """What goes in, by way of a number that float16 does not hold."""

    def call(self, x: Any) -> Any:
        return x * 3e4 / 3e4


@pytest.mark.parametrize(
    ("layer", "helps"),
    [
        (Detour, {"float32 in the layer", "float32 in all layers"}),
        # The next layer casts what it gives to float16.
        (lambda **options: sick.Scale(3e4, **options), {"float32 in all layers"}),
    ],
    ids=["within", "between"],
)
def test_half_precision(tmp_path: Path, layer: Any, helps: set[str]) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    stack = [layers.Dense(4, kernel_initializer="ones"), layer(name="sick"), layers.Dense(1)]
    # What is compiled never goes to the large number and back.
    optimizer = keras.optimizers.SGD(1e-12)
    model = sick.model(stack, optimizer=optimizer, auto_scale_loss=False, run_eagerly=True)
    ones = np.ones((18, sick.FEATURES), "float32")
    result = replay(recorded(model, ones, ones[:, :1], tmp_path), model, try_remedies=True)
    assert result.birth is not None
    assert result.birth.layer == "sequential/sick"
    assert survivors(result) == helps
    assert [x.dtype_policy.name for x in model.layers] == ["mixed_float16"] * 3


class OnlyHalf(layers.Layer):
    def call(self, x: Any) -> Any:
        if keras.backend.standardize_dtype(x.dtype) != "float16":
            raise TypeError("planted")
        return x * 3e4


@pytest.mark.any_backend
def test_a_change_that_the_model_does_not_stand(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    stack = [OnlyHalf(name="sick"), layers.Dense(1)]
    model = sick.model(stack, optimizer="sgd", auto_scale_loss=False, run_eagerly=True)
    x = np.full((18, sick.FEATURES), 4, "float32")
    result = replay(recorded(model, x, x[:, :1], tmp_path), model, try_remedies=True)
    remarks = {trial.change: trial.remark for trial in result.trials}
    assert "planted" in remarks["float32 in the layer"]
    assert model.layers[0].compute_dtype == "float16"


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = build(keras.optimizers.Adam(clipvalue=0.5), run_eagerly=True)
    before = model.optimizer.get_config()
    variables = [v.path for v in model.optimizer.variables]
    replay(recorded(model, *rows(nan_at=2), tmp_path), model, try_remedies=True)
    assert model.optimizer.get_config() == before
    assert [v.path for v in model.optimizer.variables][: len(variables)] == variables


@pytest.mark.any_backend
def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsule = recorded(build(run_eagerly=True), *rows(nan_at=2), tmp_path)
    assert main(["replay", str(capsule), "--try", "--json"]) == 0
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert {trial["change"] for trial in trials} == set(registry())
    main(["replay", str(capsule), "--try"])
    printed = capsys.readouterr().out.splitlines()
    [line] = [line for line in printed if line.startswith("without the batch")]
    assert "yes, 3 of 3 steps" in line


@pytest.mark.any_backend
def test_nothing_is_tried_unasked(tmp_path: Path) -> None:
    model = build()
    result = replay(recorded(model, *rows(nan_at=0), tmp_path), model)
    assert not result.trials
    assert "what if" not in str(result)


@pytest.mark.any_backend
def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="Name it anew"):

        class Second(Remedy):
            name = "without the batch"
