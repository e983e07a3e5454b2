from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_l4
from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.observers import findings as findings_module
from keras_l4.report.evaluated_run import EvaluatedRun
from keras_l4.rules import RuleEngine, registry
from tests.training import build

pytestmark = pytest.mark.any_backend

ROWS = 64


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3)).astype("float32")
    return x, (x[:, :1] > 0).astype("float32")


def misfit() -> Any:
    """A softmax over one unit."""
    return build("sgd", [layers.Dense(4, activation="tanh"), layers.Dense(1, activation="softmax")],
                 loss="mse", metrics=["accuracy"])  # fmt: skip


def fit(model: Any, *callbacks: Any, epochs: int = 8, **arguments: Any) -> Any:
    x, y = data()
    fixed = {"batch_size": 8, "verbose": 0, "shuffle": False, "epochs": epochs}
    return model.fit(x, y, callbacks=list(callbacks), **(fixed | arguments))


def test_findings_during_fit_and_from_event_files_are_equal(tmp_path: Path) -> None:
    diagnostics = TrainingDiagnostics(tmp_path, verbose=0)
    fit(misfit(), diagnostics)
    codes = {finding.code: finding.severity for finding in diagnostics.findings}

    assert codes["wrong-output-or-loss"] == "warning"
    assert RuleEngine().findings(keras_l4.load(tmp_path).record, print) == diagnostics.findings


@pytest.mark.parametrize("rules", ["strict", ["plateau", "nonfinite"], "sagemaker"])
def test_event_files_are_evaluated_by_the_same_rules(tmp_path: Path, rules: Any) -> None:
    diagnostics = TrainingDiagnostics(tmp_path, rules=rules, verbose=0)
    fit(misfit(), diagnostics, epochs=2)
    judged = EvaluatedRun.read(tmp_path)

    assert judged.run.record.metadata.rules == (
        (rules,) if isinstance(rules, str) else tuple(rules)
    )
    assert judged.findings == diagnostics.findings


def test_findings_cover_a_loop_over_fit_as_one_run(tmp_path: Path) -> None:
    diagnostics, model = TrainingDiagnostics(tmp_path, verbose=0), misfit()
    for _ in range(8):
        fit(model, diagnostics, epochs=1)
    (finding,) = (f for f in diagnostics.findings if f.code == "wrong-output-or-loss")

    assert (finding.first_step, finding.last_step) == (1, 64)
    assert RuleEngine().findings(keras_l4.load(tmp_path).record, print) == diagnostics.findings


def test_findings_are_printed_at_the_end_of_fit(capfd: pytest.CaptureFixture[str]) -> None:
    fit(misfit(), TrainingDiagnostics())
    out = capfd.readouterr().out
    assert "Findings" in out
    assert "wrong-output-or-loss" in out
    assert "plateau" not in out  # A finding of severity "info" is not printed.


def test_the_last_message_says_how_to_view_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fit(misfit(), TrainingDiagnostics(tmp_path), verbose=2)
    assert f"keras_l4: View the run with: tensorboard --logdir {tmp_path}" in capfd.readouterr().out
    fit(build(), TrainingDiagnostics(rules=[]), verbose=2)
    assert "keras_l4: No problems found.\n" in capfd.readouterr().out
    fit(build(), TrainingDiagnostics(tmp_path / "new", rules=[]), verbose=0)
    assert "keras_l4" not in capfd.readouterr().out


def test_verbose_0_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    fit(misfit(), TrainingDiagnostics(verbose=0))
    assert "keras_l4" not in capfd.readouterr().out


def test_findings_are_written_to_tensorboard_as_text(tmp_path: Path) -> None:
    fit(misfit(), TrainingDiagnostics(tmp_path, verbose=0))
    events = EventAccumulator(str(tmp_path / "diagnostics"))
    events.Reload()
    (text,) = events.Tensors("findings")
    assert b"| warning | wrong-output-or-loss |" in text.tensor_proto.string_val[0]


def test_an_error_is_printed_during_fit(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings_module, "_MIN_SECONDS", 0.0)
    monkeypatch.setattr(findings_module, "_TIME_FRACTION", 1e9)
    model = build(keras.optimizers.SGD(30.0), [layers.Dense(8), layers.Dense(1)])
    fit(model, TrainingDiagnostics(flush_every=4), verbose=1, epochs=4)
    out = capfd.readouterr().out
    printed = re.search(
        r"^keras_l4: (exploding-gradient|learning-rate-too-high) at ", out, re.MULTILINE
    )

    assert printed is not None
    assert printed.start() < out.index("Findings")
    assert out.count(f"keras_l4: {printed.group(1)}") == 1


def test_a_rule_that_raises_is_disabled_with_one_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(self: Any, run: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(type(registry["plateau"]), "check", broken)
    monkeypatch.setattr(findings_module, "_MIN_SECONDS", 0.0)
    monkeypatch.setattr(findings_module, "_TIME_FRACTION", 1e9)
    diagnostics = TrainingDiagnostics(flush_every=1, verbose=0)
    with pytest.warns(RuntimeWarning, match="rule plateau failed .* planted") as caught:
        fit(misfit(), diagnostics)
    assert len([w for w in caught if "keras_l4" in str(w.message)]) == 1
    assert "wrong-output-or-loss" in {finding.code for finding in diagnostics.findings}


def test_rules_take_one_percent_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 1000.0, 0.1))
    monkeypatch.setattr(findings_module.time, "monotonic", lambda: float(next(clock)))
    evaluations = []
    monkeypatch.setattr(RuleEngine, "findings", lambda self, *a: evaluations.append(0) or ())
    report = findings_module.FindingsReport("default")
    diagnostics = TrainingDiagnostics(verbose=0)
    report.add_annotation(model_metadata())
    for block in blocks(200):
        report.observe(block, diagnostics)
    # Each reading of the clock advances it by 0.1 s, so an evaluation takes 0.1 s, and the next one is
    # due 10 s later.
    assert len(evaluations) == 2


def model_metadata() -> Any:
    from tests.rules.records import model_metadata

    return model_metadata()


def blocks(number: int) -> Any:
    from dataclasses import replace

    from tests.rules.records import block

    whole = block(num_steps=1)
    return [replace(whole, steps=whole.steps + i) for i in range(number)]


def test_unknown_rules_are_an_error_in_the_constructor() -> None:
    with pytest.raises(ValueError, match="rules contains 'dead-relu'"):
        TrainingDiagnostics(rules=["dead-relu"])
