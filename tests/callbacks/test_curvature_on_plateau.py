"""A Curvature callback measures a plateau, and the finding contains the result."""

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
from keras_l4.curvature import CurvatureConfig, classify
from keras_l4.observers import findings as findings_module
from keras_l4.report.evaluated_run import EvaluatedRun
from keras_l4.rules import Finding, RuleEngine
from keras_l4.session.session import Session
from tests.training import BATCH, ROWS, STEPS, build, rows, same, state, train

NEVER = 10**6
EPOCHS = 12
CHEAP = CurvatureConfig(max_steps=8, num_probes=2, num_steps=2)


def at_saddle() -> Any:
    """All weights are 0: the gradient is 0, and the curvature has both signs."""
    zero: dict[str, Any] = {"kernel_initializer": "zeros", "use_bias": False}
    return build("sgd", [layers.Dense(2, **zero), layers.Dense(1, **zero)])


def nearly_constant() -> Any:
    """Its weights change too little to change the loss visibly."""
    stack = [layers.Dense(4, activation="tanh"), layers.BatchNormalization(), layers.Dropout(0.5)]
    return build(keras.optimizers.Adam(1e-6), [*stack, layers.Dense(1)])


def curvature(log_dir: Path | None = None, **options: Any) -> Curvature:
    return Curvature(
        log_dir, *rows(), **({"every": NEVER, "config": CHEAP, "verbose": 0} | options)
    )


def plateau(diagnostics: TrainingDiagnostics) -> Finding:
    (finding,) = (f for f in diagnostics.findings if f.code == "plateau")
    return finding


@pytest.fixture
def evaluated_at_every_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules are evaluated at every read."""
    monkeypatch.setattr(findings_module, "_MIN_SECONDS", 0.0)
    monkeypatch.setattr(findings_module, "_TIME_FRACTION", 1e9)


@pytest.fixture
def evaluated_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_module, "_MIN_SECONDS", math.inf)


@pytest.mark.usefixtures("evaluated_at_every_read")
@pytest.mark.parametrize("is_first", [True, False])
def test_a_plateau_is_measured_during_fit(tmp_path: Path, is_first: bool) -> None:
    model, measures = at_saddle(), curvature(tmp_path)
    diagnostics = TrainingDiagnostics(tmp_path, flush_every=1, verbose=0)
    callbacks = [measures, diagnostics] if is_first else [diagnostics, measures]
    # A callback that is not async-safe makes Keras report each loss before the next batch.
    synchronous = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    train(model, *callbacks, synchronous, epochs=2, batch_size=1)
    place, finding = classify(model, *rows()), plateau(diagnostics)

    assert finding.evidence["point_kind"] == place.kind == "saddle"
    assert finding.evidence["smallest_curvature"] == pytest.approx(place.smallest, rel=1e-4)
    assert finding.evidence["loss_change_+v_min"] < 0
    assert finding.evidence["measured_at_step"] == measures.measurements[-1].step
    assert ROWS < measures.measurements[0].step < 2 * ROWS
    assert "saddle, gradient norm 0" in finding.explanation
    assert RuleEngine().findings(keras_l4.load(tmp_path).record, print) == diagnostics.findings
    assert EvaluatedRun.read(tmp_path).findings == diagnostics.findings


@pytest.mark.any_backend
@pytest.mark.usefixtures("evaluated_at_the_end")
@pytest.mark.parametrize("is_first", [True, False])
def test_a_plateau_found_at_the_end_is_measured_before_it_is_reported(
    tmp_path: Path, is_first: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    measures, diagnostics = curvature(tmp_path), TrainingDiagnostics(tmp_path)
    callbacks = [measures, diagnostics] if is_first else [diagnostics, measures]
    train(at_saddle(), *callbacks, epochs=EPOCHS)

    assert [measurement.step for measurement in measures.measurements] == [EPOCHS * STEPS]
    assert plateau(diagnostics).evidence["point_kind"] == "saddle"
    # The saddle is printed as the cause; the plateau has severity "info" then.
    assert "saddle" in capfd.readouterr().out
    assert EvaluatedRun.read(tmp_path).findings == diagnostics.findings


@pytest.mark.any_backend
@pytest.mark.usefixtures("evaluated_at_every_read")
def test_a_plateau_measured_by_schedule_is_not_measured_again() -> None:
    measures = curvature(every="epoch")
    diagnostics = TrainingDiagnostics(flush_every=1, verbose=0)
    train(at_saddle(), measures, diagnostics, epochs=EPOCHS)
    # The first measurement may have been requested before the end of its epoch.
    extra = [measurement.step for measurement in measures.measurements if measurement.step % STEPS]
    assert len(extra) <= 1
    assert plateau(diagnostics).evidence["measured_at_step"] == EPOCHS * STEPS


@pytest.mark.any_backend
@pytest.mark.usefixtures("evaluated_at_every_read")
def test_a_converged_run_is_measured_each_time_its_length_has_doubled() -> None:
    x, _ = rows()
    y = x[:, :1] + 0.1
    measures = Curvature(None, x, y, every=NEVER, config=CHEAP, verbose=0)
    diagnostics = TrainingDiagnostics(flush_every=1, verbose=0)
    model = build(keras.optimizers.SGD(0.1), [layers.Dense(1)])
    both = [diagnostics, measures]
    model.fit(x, y, batch_size=BATCH, epochs=60, shuffle=False, verbose=0, callbacks=both)
    finding = plateau(diagnostics)

    assert finding.evidence["kind"] == "converged"
    assert finding.evidence["point_kind"] == measures.measurements[-1].kind
    steps = [measurement.step for measurement in measures.measurements]
    assert len(steps) > 1
    assert all(later >= 2 * step - 2 for step, later in pairwise(steps))
    assert finding.first_step <= steps[-1]


@pytest.mark.any_backend
@pytest.mark.usefixtures("evaluated_at_every_read")
@pytest.mark.parametrize("budget", [1e-9, None])
def test_the_budget_limits_requested_measurements(
    budget: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    early: list[Session] = []
    monkeypatch.setattr(Session, "read_all_steps_at_batch_begin", lambda self: early.append(self))
    measures, diagnostics = curvature(budget=budget), TrainingDiagnostics(flush_every=1, verbose=0)
    train(at_saddle(), measures, diagnostics, epochs=EPOCHS)
    assert bool(measures.measurements) == (budget is None)
    assert ("point_kind" in plateau(diagnostics).evidence) == (budget is None)
    # A measurement that exceeds the budget does not cause extra reads, either.
    assert bool(early) == (budget is None)


@pytest.mark.usefixtures("evaluated_at_every_read")
def test_weights_are_those_of_a_run_without_the_callback() -> None:
    stock = nearly_constant()
    train(stock, epochs=EPOCHS)
    watched, measures = nearly_constant(), curvature()
    train(watched, measures, TrainingDiagnostics(flush_every=1, verbose=0), epochs=EPOCHS)
    assert measures.measurements[0].step < EPOCHS * STEPS
    assert same(state(watched), state(stock))


def test_nothing_is_measured_without_a_plateau() -> None:
    measures, diagnostics = curvature(), TrainingDiagnostics(rules=["nonfinite"], verbose=0)
    train(at_saddle(), measures, diagnostics, epochs=EPOCHS)
    assert measures.measurements == ()
