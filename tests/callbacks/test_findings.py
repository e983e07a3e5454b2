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
from keras_l4.observers import findings as _findings_report
from keras_l4.report.judged import EvaluatedRun
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


def test_live_and_from_the_files_they_are_the_same(tmp_path: Path) -> None:
    diagnostics = TrainingDiagnostics(tmp_path, verbose=0)
    fit(misfit(), diagnostics)
    codes = {finding.code: finding.severity for finding in diagnostics.findings}

    assert codes["wrong-output-or-loss"] == "warning"
    assert RuleEngine().findings(keras_l4.load(tmp_path).record, print) == diagnostics.findings


@pytest.mark.parametrize("rules", ["strict", ["plateau", "nonfinite"], "sagemaker"])
def test_those_from_the_files_are_by_the_same_rules(tmp_path: Path, rules: Any) -> None:
    diagnostics = TrainingDiagnostics(tmp_path, rules=rules, verbose=0)
    fit(misfit(), diagnostics, epochs=2)
    judged = EvaluatedRun.read(tmp_path)

    assert judged.run.record.facts.rules == ((rules,) if isinstance(rules, str) else tuple(rules))
    assert judged.findings == diagnostics.findings


def test_a_loop_over_fit_is_one_run(tmp_path: Path) -> None:
    diagnostics, model = TrainingDiagnostics(tmp_path, verbose=0), misfit()
    for _ in range(8):
        fit(model, diagnostics, epochs=1)
    (finding,) = (f for f in diagnostics.findings if f.code == "wrong-output-or-loss")

    assert (finding.first_step, finding.last_step) == (1, 64)
    assert RuleEngine().findings(keras_l4.load(tmp_path).record, print) == diagnostics.findings


def test_they_are_printed_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    fit(misfit(), TrainingDiagnostics())
    out = capfd.readouterr().out
    assert "What keras_l4 found" in out
    assert "wrong-output-or-loss" in out
    assert "plateau" not in out  # A note is not printed.


def test_the_end_says_where_the_record_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fit(misfit(), TrainingDiagnostics(tmp_path), verbose=2)
    assert f"keras_l4: See it: tensorboard --logdir {tmp_path}" in capfd.readouterr().out
    fit(build(), TrainingDiagnostics(rules=[]), verbose=2)
    assert "keras_l4: nothing to warn of." in capfd.readouterr().out
    fit(build(), TrainingDiagnostics(tmp_path / "new", rules=[]), verbose=0)
    assert "keras_l4" not in capfd.readouterr().out


def test_verbose_0_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    fit(misfit(), TrainingDiagnostics(verbose=0))
    assert "keras_l4" not in capfd.readouterr().out


def test_tensorboard_gets_them_as_text(tmp_path: Path) -> None:
    fit(misfit(), TrainingDiagnostics(tmp_path, verbose=0))
    events = EventAccumulator(str(tmp_path / "diagnostics"))
    events.Reload()
    (text,) = events.Tensors("findings")
    assert b"| warning | wrong-output-or-loss |" in text.tensor_proto.string_val[0]


def test_a_severe_one_is_told_at_once(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_findings_report, "_SECONDS", 0.0)
    monkeypatch.setattr(_findings_report, "_SHARE", 1e9)
    model = build(keras.optimizers.SGD(30.0), [layers.Dense(8), layers.Dense(1)])
    fit(model, TrainingDiagnostics(flush_every=4), verbose=1, epochs=4)
    out = capfd.readouterr().out
    told = re.search(
        r"^keras_l4: (exploding-gradient|learning-rate-too-high) at ", out, re.MULTILINE
    )

    assert told is not None
    assert told.start() < out.index("What keras_l4 found")
    assert out.count(f"keras_l4: {told.group(1)}") == 1


def test_a_rule_that_raises_is_told_once_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(self: Any, run: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(type(registry()["plateau"]), "check", broken)
    monkeypatch.setattr(_findings_report, "_SECONDS", 0.0)
    monkeypatch.setattr(_findings_report, "_SHARE", 1e9)
    diagnostics = TrainingDiagnostics(flush_every=1, verbose=0)
    with pytest.warns(RuntimeWarning, match="rule plateau failed .* planted") as caught:
        fit(misfit(), diagnostics)
    assert len([w for w in caught if "keras_l4" in str(w.message)]) == 1
    assert "wrong-output-or-loss" in {finding.code for finding in diagnostics.findings}


def test_judging_takes_a_hundredth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 1000.0, 0.1))
    monkeypatch.setattr(_findings_report.time, "monotonic", lambda: float(next(clock)))
    judged = []
    monkeypatch.setattr(RuleEngine, "findings", lambda self, *a: judged.append(0) or ())
    report = _findings_report.FindingsReport("default")
    diagnostics = TrainingDiagnostics(verbose=0)
    report.note(keras_l4_facts())
    for block in blocks(200):
        report.observe(block, diagnostics)
    # A look at the clock is 0.1 s here, a judgement takes one, hence the next is due 10 s later.
    assert len(judged) == 2


def keras_l4_facts() -> Any:
    from tests.rules.records import facts

    return facts()


def blocks(number: int) -> Any:
    from dataclasses import replace

    from tests.rules.records import block

    whole = block(num_steps=1)
    return [replace(whole, steps=whole.steps + i) for i in range(number)]


def test_wrong_rules_are_an_error_at_construction() -> None:
    with pytest.raises(ValueError, match="rules has 'dead-relu'"):
        TrainingDiagnostics(rules=["dead-relu"])
