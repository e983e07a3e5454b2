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
from keras_l4.curvature import Effort, spectrum, surface
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice
from tests.training import STEPS, build, rows, same, state, train

LITTLE = Effort(max_steps=8, num_probes=2, num_steps=2)


def noisy() -> list[Any]:
    hidden = layers.Dense(4, activation="tanh")
    return [hidden, layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(1)]


def test_weights_are_those_of_a_run_without_it() -> None:
    stock = build("adam", noisy(), run_eagerly=False)
    train(stock, epochs=2)
    watched = build("adam", noisy(), run_eagerly=False)
    curvature = Curvature(None, *rows(), every=2, surface="random", verbose=0)
    train(watched, curvature, epochs=2)

    assert [note.step for note in curvature.measurements] == [2, 4]
    assert same(state(watched), state(stock))
    assert curvature.surface is not None


def test_it_measures_the_model_as_it_is_then(tmp_path: Path) -> None:
    model = build("adam", run_eagerly=False)
    curvature = Curvature(tmp_path, *rows(), effort=LITTLE, verbose=0)
    train(model, curvature, TrainingDiagnostics(tmp_path, verbose=0), epochs=2)
    now = spectrum(model, *rows())
    first, last = curvature.measurements

    assert (first.step, first.epoch, last.step, last.epoch) == (STEPS, 1, 2 * STEPS, 2)
    assert last.largest == pytest.approx(now.largest, rel=1e-4)
    assert first.largest != pytest.approx(last.largest, rel=1e-4)
    assert last.threshold == pytest.approx(38 / 0.001, rel=1e-4)
    read = [
        note for note in keras_l4.load(tmp_path).notes if isinstance(note, CurvatureMeasurement)
    ]
    assert repr(read) == repr(list(curvature.measurements))


def test_a_step_in_the_middle_is_seen_as_it_is_then() -> None:
    curvature = Curvature(None, *rows(), every=1, effort=LITTLE, verbose=0)
    train(build("sgd", run_eagerly=False), curvature)
    short = build("sgd", run_eagerly=False)
    x, y = rows()
    short.fit(x[:8], y[:8], batch_size=8, shuffle=False, verbose=0)

    expected = spectrum(short, x, y).largest
    assert curvature.measurements[0].largest == pytest.approx(expected, rel=1e-4)


@pytest.mark.any_backend
def test_the_cost_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    train(build("sgd", run_eagerly=False), Curvature(None, *rows(), effort=LITTLE), epochs=2)
    told = capsys.readouterr().out
    # 11 weights: 11 products at most for the spectrum, twice 8 for the rest.
    assert told.count("takes up to 27 Hessian-vector products of") == 1
    assert "budget" not in told


@pytest.mark.any_backend
def test_what_helps_against_a_high_cost_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras_l4.callbacks.curvature_scheduler._LONG", 0.0)
    train(build("sgd"), Curvature(None, *rows(), effort=LITTLE))
    assert "budget=0.05 rarer" in capsys.readouterr().out
    train(build("sgd"), Curvature(None, *rows(), effort=LITTLE, budget=1.0))
    assert "rarer" not in capsys.readouterr().out


@pytest.mark.any_backend
def test_what_the_budget_does_not_allow_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    curvature = Curvature(None, *rows(), budget=1e-9)
    train(build("sgd", run_eagerly=False), curvature)
    assert curvature.measurements == ()
    assert capsys.readouterr().out.count("the curvature was never measured") == 1


@pytest.mark.any_backend
def test_a_measurement_that_costs_too_much_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(CurvatureScheduler, "_trial_cost", lambda self: 0.0)
    monkeypatch.setattr(CurvatureScheduler, "_estimate", lambda self: 1e9)
    curvature = Curvature(None, *rows(), budget=0.5)
    train(build("sgd", run_eagerly=False), curvature, epochs=2)
    assert curvature.measurements == ()
    assert capsys.readouterr().out.count("the measurement waits") == 1


@pytest.mark.any_backend
def test_a_budget_is_a_share_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    budget = Budget(0.1)
    now[0] += 10
    assert budget.affords(1.0)
    assert not budget.affords(1.1)
    with budget.spending():
        now[0] += 1
    assert (budget.spent, budget.trained) == (1, 10)
    assert not budget.affords(0.1)
    now[0] += 10
    assert budget.affords(1.0)
    assert Budget(None).affords(1e9)


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
    ("wrong", "message"),
    [
        ({"every": 0}, "every=0: expected an integer"),
        ({"budget": -1}, "budget=-1: expected a share"),
        ({"budget": 5}, "budget=5: expected a share of the training time, above 0 and up to 1"),
        ({"budget": "1%"}, "budget='1%': expected a number"),
        ({"effort": "high"}, "effort='high': expected a keras_l4.curvature.Effort"),
        ({"surface": "up"}, 'surface=\'up\': expected "random", "hessian", "pca"'),
    ],
)
def test_a_wrong_argument_is_an_error(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Curvature(None, np.ones((2, 3)), **wrong)


def test_training_ends_with_a_slice(tmp_path: Path) -> None:
    model = build("sgd", run_eagerly=False)
    curvature = Curvature(tmp_path, *rows(), effort=LITTLE, surface="random", verbose=0)
    train(model, TrainingDiagnostics(tmp_path, verbose=0), curvature, epochs=2)
    cut, note = surface(model, *rows()), curvature.surface

    assert note is not None
    assert (note.step, note.epoch, note.path_steps) == (2 * STEPS, 2, (0, STEPS, 2 * STEPS))
    assert np.allclose(note.loss, cut.loss, rtol=1e-5)
    assert np.allclose(note.path[-1], 0)
    assert note.path_loss[-1] == pytest.approx(cut.loss[10, 10], rel=1e-5)
    assert note.path_loss[0] > note.path_loss[1] > note.path_loss[2]
    read = [item for item in keras_l4.load(tmp_path).notes if isinstance(item, SurfaceSlice)]
    assert read == [note]
    with np.load(tmp_path / "diagnostics" / f"surface-{2 * STEPS}.npz") as file:
        assert file.keys() == vars(note).keys()
        assert all(np.array_equal(file[name], value) for name, value in vars(note).items())


class Restored(keras.callbacks.Callback):
    """As `EarlyStopping(restore_best_weights=True)`: the last weights are not those of training."""

    def on_train_end(self, logs: Any = None) -> None:
        self.model.set_weights([weight + 1 for weight in self.model.get_weights()])


def test_a_slice_is_around_the_weights_that_are_left() -> None:
    model = build("sgd", run_eagerly=False)
    curvature = Curvature(None, *rows(), every=99, surface="pca", verbose=0)
    train(model, Restored(), curvature, epochs=2)
    assert curvature.surface is not None
    left = model.evaluate(*rows(), verbose=0)
    assert curvature.surface.path_loss[-1] == pytest.approx(left, rel=1e-5)
    assert sum(curvature.surface.explained_variance) == pytest.approx(1)


@pytest.mark.any_backend
def test_what_the_budget_does_not_allow_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CurvatureScheduler, "_trial_cost", lambda self: 0.0)
    curvature = Curvature(None, *rows(), every=99, budget=1e-9, surface="random", verbose=0)
    train(build("sgd", run_eagerly=False), curvature)
    assert curvature.surface is None


@pytest.mark.any_backend
def test_a_slice_that_fails_is_told() -> None:
    curvature = Curvature(None, *rows(), every=99, surface="pca", verbose=0)
    with pytest.warns(RuntimeWarning, match="(?s)cutting .* failed.* three points"):
        train(build("sgd", run_eagerly=False), curvature)
    assert curvature.surface is None


def test_there_is_no_slice_around_nan(capsys: pytest.CaptureFixture[str]) -> None:
    curvature = Curvature(None, *rows(), every=99, surface="random")
    train(build("sgd", run_eagerly=False), curvature, nan_at=0)
    assert "the weights are not finite" in capsys.readouterr().out
    assert curvature.surface is None
