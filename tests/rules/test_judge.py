from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keras_l4.records.history import record_of
from keras_l4.rules import RuleEngine, select_rules, registry
from tests.rules.records import LOST, NUM_STEPS, block, facts, inputs, record


def silent(code: str, error: Exception) -> None:
    raise AssertionError(code) from error


def test_presets_choose_rules() -> None:
    assert [rule.code for rule in select_rules("sagemaker")] == ["sagemaker"]
    assert [rule.code for rule in select_rules(["plateau", "nonfinite"])] == ["plateau", "nonfinite"]
    assert len(select_rules("default")) == len(registry()) - 3


@pytest.mark.parametrize("rules", ["everything", ["nonfinite", "vanishing"]])
def test_an_unknown_name_is_an_error_that_names_the_known(rules: Any) -> None:
    with pytest.raises(ValueError, match="nonfinite"):
        RuleEngine(rules)


def test_what_is_no_list_is_an_error() -> None:
    with pytest.raises(TypeError, match="expected one of"):
        RuleEngine(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("rules", ["default", "strict", "sagemaker", ["plateau"], []])
def test_a_record_says_how_it_was_judged(rules: Any) -> None:
    named = RuleEngine(rules).names
    again = RuleEngine.of(record(known=facts(rules=named)), silent)
    expected = "default" if rules == [] else rules
    assert again.names == RuleEngine(expected).names


def test_a_record_of_an_older_version_is_judged_by_the_default() -> None:
    assert RuleEngine.of(record_of([block()]), silent).names == ("default",)


def test_a_rule_that_is_not_defined_here_is_told() -> None:
    told: list[str] = []
    run = record(known=facts(rules=("lopsided-layer", "plateau")))
    judge = RuleEngine.of(run, lambda code, error: told.append(f"{code}: {error}"))
    assert judge.names == ("plateau",)
    assert told == ["lopsided-layer: there is no such rule here"]


def test_the_last_fit_of_a_run_says_how_it_is_judged() -> None:
    later = facts(step=201, iterations=200, rules=("strict",))
    assert RuleEngine.of(record_of([facts(), block(), later]), silent).names == ("strict",)


def test_what_was_there_before_training_comes_first() -> None:
    """By their codes, and by steps, the others would come before."""
    slow = block(ratio=1e-4, loss=np.linspace(1.0, 0.98, NUM_STEPS))
    run = record(slow, facts(inputs=inputs(scale=150.0, maximum=255.0)), accuracy=LOST)
    codes = [f.code for f in RuleEngine().findings(run, silent) if f.severity == "warning"]
    assert codes == ["unscaled-inputs", "learning-rate-too-low"]


def test_a_rule_that_raises_is_told_once_and_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, run: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(type(registry()["plateau"]), "check", broken)
    judge, told = RuleEngine(), []
    run = record(block(gradient=np.nan))
    for _ in range(2):
        findings = judge.findings(run, lambda code, error: told.append((code, str(error))))
        assert "nonfinite" in [finding.code for finding in findings]
    assert told == [("plateau", "planted")]


def test_a_symptom_is_a_note_where_a_cause_is_known() -> None:
    flat = block(loss=np.ones(NUM_STEPS))
    alone = RuleEngine().findings(record(flat, accuracy=LOST), silent)
    assert [(f.code, f.severity) for f in alone] == [("plateau", "warning")]
    known = facts(inputs=inputs(scale=100.0))
    with_cause = RuleEngine().findings(record(flat, known, accuracy=LOST), silent)
    assert [(f.code, f.severity) for f in with_cause] == [
        ("unscaled-inputs", "warning"),
        ("plateau", "info"),
    ]


def test_in_strict_notes_are_warnings() -> None:
    known = facts(inputs=inputs(scale=100.0))
    assert [f.severity for f in RuleEngine("strict").findings(record(known=known), silent)] == [
        "warning"
    ]


def test_the_worst_comes_first() -> None:
    ranks = [f.rank for f in RuleEngine().findings(record(block(gradient=np.nan)), silent)]
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize("preset", ["default", "autotrainer", "deepdiagnosis", "sagemaker"])
@pytest.mark.parametrize(
    "values",
    [{"gradient": np.nan}, {"gradient": 0.0}, {"weight": 0.0, "ratio": np.inf}, {"ratio": np.nan},
     {"loss": np.full(NUM_STEPS, np.nan)}, {"loss": np.full(NUM_STEPS, np.inf)},
     {"loss": np.zeros(NUM_STEPS)}, {"num_steps": 1}],
)  # fmt: skip
def test_numbers_that_are_none_bring_no_warning_of_numpy(
    preset: str, values: dict[str, Any], recwarn: pytest.WarningsRecorder
) -> None:
    for accuracy in (LOST, np.nan):
        RuleEngine(preset).findings(record(block(**values), accuracy=accuracy), silent)
    assert list(recwarn) == []
