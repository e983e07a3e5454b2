from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import keras_l4
from keras_l4.callbacks import Curvature, TrainingDiagnostics
from keras_l4.callbacks.budget import Budget
from keras_l4.callbacks.curvature_scheduler import CurvatureScheduler
from keras_l4.curvature import CurvatureConfig, spectrum, surface
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice
from tests.training import STEPS, build, rows, same, state, train

CHEAP = CurvatureConfig(max_steps=8, num_probes=2, num_steps=2)


def noisy() -> list[Any]:
    hidden = layers.Dense(4, activation="tanh")
    return [hidden, layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(1)]


def test_weights_are_those_of_a_run_without_the_callback() -> None:
    stock = build("adam", noisy())
    train(stock, epochs=2)
    watched = build("adam", noisy())
    curvature = Curvature(None, *rows(), every=2, surface="random", verbose=0)
    train(watched, curvature, epochs=2)

    assert [measurement.step for measurement in curvature.measurements] == [2, 4]
    assert same(state(watched), state(stock))
    assert curvature.surface is not None


def test_measurements_are_of_the_weights_at_the_end_of_each_epoch(tmp_path: Path) -> None:
    model = build("adam")
    curvature = Curvature(tmp_path, *rows(), config=CHEAP, verbose=0)
    train(model, curvature, TrainingDiagnostics(tmp_path, verbose=0), epochs=2)
    now = spectrum(model, *rows())
    first, last = curvature.measurements

    assert (first.step, first.epoch, last.step, last.epoch) == (STEPS, 1, 2 * STEPS, 2)
    assert last.largest == pytest.approx(now.largest, rel=1e-4)
    assert first.largest != pytest.approx(last.largest, rel=1e-4)
    assert last.threshold == pytest.approx(38 / 0.001, rel=1e-4)
    read = [
        measurement
        for measurement in keras_l4.load(tmp_path).annotations
        if isinstance(measurement, CurvatureMeasurement)
    ]
    assert repr(read) == repr(list(curvature.measurements))


def test_a_measurement_between_steps_is_of_the_weights_at_that_step() -> None:
    curvature = Curvature(None, *rows(), every=1, config=CHEAP, verbose=0)
    train(build("sgd"), curvature)
    short = build("sgd")
    x, y = rows()
    short.fit(x[:8], y[:8], batch_size=8, shuffle=False, verbose=0)

    expected = spectrum(short, x, y).largest
    assert curvature.measurements[0].largest == pytest.approx(expected, rel=1e-4)


@pytest.mark.any_backend
def test_the_cost_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    train(build("sgd"), Curvature(None, *rows(), config=CHEAP), epochs=2)
    printed = capsys.readouterr().out
    # 11 weights: at most 11 products for the spectrum, and twice 8 for the rest.
    assert printed.count("takes up to 27 Hessian-vector products of") == 1
    assert "budget" not in printed


@pytest.mark.any_backend
def test_a_high_cost_is_printed_with_advice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras_l4.callbacks.curvature_scheduler._LONG_SECONDS", 0.0)
    train(build("sgd"), Curvature(None, *rows(), config=CHEAP))
    assert "budget=0.05 to make it rarer" in capsys.readouterr().out
    train(build("sgd"), Curvature(None, *rows(), config=CHEAP, budget=1.0))
    assert "rarer" not in capsys.readouterr().out


@pytest.mark.any_backend
def test_a_measurement_that_exceeds_the_budget_is_not_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    curvature = Curvature(None, *rows(), budget=1e-9)
    train(build("sgd"), curvature)
    assert curvature.measurements == ()
    assert capsys.readouterr().out.count("the curvature was never measured") == 1


@pytest.mark.any_backend
def test_a_measurement_that_exceeds_the_budget_is_announced_as_waiting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CurvatureScheduler, "_trial_seconds", lambda self: 0.0)
    monkeypatch.setattr(CurvatureScheduler, "_estimate_seconds", lambda self: 1e9)
    curvature = Curvature(None, *rows(), budget=0.5)
    train(build("sgd"), curvature, epochs=2)
    assert curvature.measurements == ()
    assert capsys.readouterr().out.count("the measurement waits") == 1


@pytest.mark.any_backend
def test_a_budget_is_a_fraction_of_the_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    budget = Budget(0.1)
    now[0] += 10
    assert budget.can_afford(1.0)
    assert not budget.can_afford(1.1)
    with budget.spend():
        now[0] += 1
    assert (budget.spent_seconds, budget.training_seconds) == (1, 10)
    assert not budget.can_afford(0.1)
    now[0] += 10
    assert budget.can_afford(1.0)
    assert Budget(None).can_afford(1e9)


@pytest.mark.any_backend
def test_a_measurement_that_fails_does_not_stop_training() -> None:
    class Trap(layers.Layer):
        def call(self, x: Any) -> Any:
            if x.shape[0] == 5:
                raise RuntimeError("planted")
            return x

    x, y = rows()
    curvature = Curvature(None, x[:5], y[:5], verbose=0)
    with pytest.warns(RuntimeWarning, match="(?s)measuring the curvature failed.*planted"):
        history = train(build("sgd", [Trap(), layers.Dense(1)]), curvature, epochs=2)
    assert len(history.history["loss"]) == 2


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "every=0: expected an integer"),
        ({"budget": -1}, "budget=-1: expected a fraction"),
        ({"budget": 5}, "budget=5: expected a fraction of the training time, above 0 and up to 1"),
        ({"budget": "1%"}, "budget='1%': expected a number"),
        ({"config": "high"}, "config='high': expected a keras_l4.curvature.CurvatureConfig"),
        ({"surface": "up"}, 'surface=\'up\': expected "random", "hessian", "pca"'),
    ],
)
def test_an_invalid_argument_is_an_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Curvature(None, np.ones((2, 3)), **arguments)


def test_training_ends_with_a_slice_of_the_loss_surface(tmp_path: Path) -> None:
    model = build("sgd")
    curvature = Curvature(tmp_path, *rows(), config=CHEAP, surface="random", verbose=0)
    train(model, TrainingDiagnostics(tmp_path, verbose=0), curvature, epochs=2)
    expected, annotation = surface(model, *rows()), curvature.surface

    assert annotation is not None
    assert (annotation.step, annotation.epoch, annotation.path_steps) == (
        2 * STEPS,
        2,
        (0, STEPS, 2 * STEPS),
    )
    assert np.allclose(annotation.loss, expected.loss, rtol=1e-5)
    assert np.allclose(annotation.path[-1], 0)
    assert annotation.path_loss[-1] == pytest.approx(expected.loss[10, 10], rel=1e-5)
    assert annotation.path_loss[0] > annotation.path_loss[1] > annotation.path_loss[2]
    read = [item for item in keras_l4.load(tmp_path).annotations if isinstance(item, SurfaceSlice)]
    assert read == [annotation]
    with np.load(tmp_path / "diagnostics" / f"surface-{2 * STEPS}.npz") as file:
        assert file.keys() == vars(annotation).keys()
        assert all(np.array_equal(file[name], value) for name, value in vars(annotation).items())


class Restored(keras.callbacks.Callback):
    """Changes the final weights, as `EarlyStopping(restore_best_weights=True)` does."""

    def on_train_end(self, logs: Any = None) -> None:
        self.model.set_weights([weight + 1 for weight in self.model.get_weights()])


def test_a_slice_is_around_the_final_weights() -> None:
    model = build("sgd")
    curvature = Curvature(None, *rows(), every=99, surface="pca", verbose=0)
    train(model, Restored(), curvature, epochs=2)
    assert curvature.surface is not None
    left = model.evaluate(*rows(), verbose=0)
    assert curvature.surface.path_loss[-1] == pytest.approx(left, rel=1e-5)
    assert sum(curvature.surface.explained_variance) == pytest.approx(1)


@pytest.mark.any_backend
def test_a_slice_that_exceeds_the_budget_is_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CurvatureScheduler, "_trial_seconds", lambda self: 0.0)
    curvature = Curvature(None, *rows(), every=99, budget=1e-9, surface="random", verbose=0)
    train(build("sgd"), curvature)
    assert curvature.surface is None


@pytest.mark.any_backend
def test_a_slice_that_fails_is_reported() -> None:
    curvature = Curvature(None, *rows(), every=99, surface="pca", verbose=0)
    with pytest.warns(RuntimeWarning, match="(?s)slicing .* failed.* three points"):
        train(build("sgd"), curvature)
    assert curvature.surface is None


def test_there_is_no_slice_around_nan_weights(capsys: pytest.CaptureFixture[str]) -> None:
    curvature = Curvature(None, *rows(), every=99, surface="random")
    train(build("sgd"), curvature, nan_at=0)
    assert "the weights are not finite" in capsys.readouterr().out
    assert curvature.surface is None
