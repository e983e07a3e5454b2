"""A plateau beside a Curvature callback: measured, and told with what was measured."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

import keras_l4
from keras_l4.callbacks import Curvature, TrainingDiagnostics
from keras_l4.curvature import Effort, classify
from keras_l4.observers import findings as _findings_report
from keras_l4.report.judged import EvaluatedRun
from keras_l4.rules import Finding, RuleEngine
from keras_l4.session.session import Session
from tests.training import BATCH, ROWS, STEPS, build, rows, same, state, train

NEVER = 10**6
EPOCHS = 12
LITTLE = Effort(max_steps=8, num_probes=2, num_steps=2)


def at_saddle() -> Any:
    """All weights are 0: no gradient, and curvature of both signs."""
    zero: dict[str, Any] = {"kernel_initializer": "zeros", "use_bias": False}
    return build("sgd", [layers.Dense(2, **zero), layers.Dense(1, **zero)], run_eagerly=False)


def standing() -> Any:
    """Moves, too little to be seen in the loss."""
    stack = [layers.Dense(4, activation="tanh"), layers.BatchNormalization(), layers.Dropout(0.5)]
    return build(keras.optimizers.Adam(1e-6), [*stack, layers.Dense(1)], run_eagerly=False)


def curvature(log_dir: Path | None = None, **options: Any) -> Curvature:
    return Curvature(
        log_dir, *rows(), **({"every": NEVER, "effort": LITTLE, "verbose": 0} | options)
    )


def plateau(diagnostics: TrainingDiagnostics) -> Finding:
    (finding,) = (f for f in diagnostics.findings if f.code == "plateau")
    return finding


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is judged whenever it is read."""
    monkeypatch.setattr(_findings_report, "_SECONDS", 0.0)
    monkeypatch.setattr(_findings_report, "_SHARE", 1e9)


@pytest.fixture
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_findings_report, "_SECONDS", math.inf)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("is_first", [True, False])
def test_a_plateau_is_measured_while_fit_runs(tmp_path: Path, is_first: bool) -> None:
    model, measures = at_saddle(), curvature(tmp_path)
    diagnostics = TrainingDiagnostics(tmp_path, flush_every=1, verbose=0)
    beside = [measures, diagnostics] if is_first else [diagnostics, measures]
    # With a callback that a thread may not call, Keras tells each loss before the next batch.
    told_at_once = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    train(model, *beside, told_at_once, epochs=2, batch_size=1)
    place, finding = classify(model, *rows()), plateau(diagnostics)

    assert finding.evidence["place"] == place.kind == "saddle"
    assert finding.evidence["smallest_curvature"] == pytest.approx(place.smallest, rel=1e-4)
    assert finding.evidence["loss_change_+v_min"] < 0
    assert finding.evidence["measured_at_step"] == measures.measurements[-1].step
    assert ROWS < measures.measurements[0].step < 2 * ROWS
    assert "saddle, gradient norm 0" in finding.explanation
    assert RuleEngine().findings(keras_l4.load(tmp_path).record, print) == diagnostics.findings
    assert EvaluatedRun.read(tmp_path).findings == diagnostics.findings


@pytest.mark.any_backend
@pytest.mark.usefixtures("at_the_end")
@pytest.mark.parametrize("is_first", [True, False])
def test_one_that_is_found_at_the_end_is_measured_before_it_is_told(
    tmp_path: Path, is_first: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    measures, diagnostics = curvature(tmp_path), TrainingDiagnostics(tmp_path)
    beside = [measures, diagnostics] if is_first else [diagnostics, measures]
    train(at_saddle(), *beside, epochs=EPOCHS)

    assert [note.step for note in measures.measurements] == [EPOCHS * STEPS]
    assert plateau(diagnostics).evidence["place"] == "saddle"
    # The measurement is the cause; the plateau is a note then, which is not printed.
    assert "saddle" in capfd.readouterr().out
    assert EvaluatedRun.read(tmp_path).findings == diagnostics.findings


@pytest.mark.any_backend
@pytest.mark.usefixtures("at_once")
def test_what_was_measured_anyway_is_not_measured_again() -> None:
    measures = curvature(every="epoch")
    diagnostics = TrainingDiagnostics(flush_every=1, verbose=0)
    train(at_saddle(), measures, diagnostics, epochs=EPOCHS)
    # The first was asked for, before the end of its epoch.
    extra = [note.step for note in measures.measurements if note.step % STEPS]
    assert len(extra) <= 1
    assert plateau(diagnostics).evidence["measured_at_step"] == EPOCHS * STEPS


@pytest.mark.any_backend
@pytest.mark.usefixtures("at_once")
def test_a_converged_run_is_measured_each_time_it_has_doubled() -> None:
    x, _ = rows()
    y = x[:, :1] + 0.1
    measures = Curvature(None, x, y, every=NEVER, effort=LITTLE, verbose=0)
    diagnostics = TrainingDiagnostics(flush_every=1, verbose=0)
    model = build(keras.optimizers.SGD(0.1), [layers.Dense(1)], run_eagerly=False)
    both = [diagnostics, measures]
    model.fit(x, y, batch_size=BATCH, epochs=60, shuffle=False, verbose=0, callbacks=both)
    finding = plateau(diagnostics)

    assert finding.evidence["kind"] == "converged"
    assert finding.evidence["place"] == measures.measurements[-1].kind
    steps = [note.step for note in measures.measurements]
    assert len(steps) > 1
    assert all(later >= 2 * step - 2 for step, later in pairwise(steps))
    assert finding.first_step <= steps[-1]


@pytest.mark.any_backend
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("budget", [1e-9, None])
def test_a_budget_is_kept(budget: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    early: list[Session] = []
    monkeypatch.setattr(Session, "catch_up", lambda self: early.append(self))
    measures, diagnostics = curvature(budget=budget), TrainingDiagnostics(flush_every=1, verbose=0)
    train(at_saddle(), measures, diagnostics, epochs=EPOCHS)
    assert bool(measures.measurements) == (budget is None)
    assert ("place" in plateau(diagnostics).evidence) == (budget is None)
    # What cannot be paid does not make the record be read more often either.
    assert bool(early) == (budget is None)


@pytest.mark.usefixtures("at_once")
def test_weights_are_those_of_a_run_without_it() -> None:
    stock = standing()
    train(stock, epochs=EPOCHS)
    watched, measures = standing(), curvature()
    train(watched, measures, TrainingDiagnostics(flush_every=1, verbose=0), epochs=EPOCHS)
    assert measures.measurements[0].step < EPOCHS * STEPS
    assert same(state(watched), state(stock))


def test_without_a_plateau_nothing_is_measured() -> None:
    measures, diagnostics = curvature(), TrainingDiagnostics(rules=["nonfinite"], verbose=0)
    train(at_saddle(), measures, diagnostics, epochs=EPOCHS)
    assert measures.measurements == ()
