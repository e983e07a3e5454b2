from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keras_l4.records.history import build_record
from keras_l4.rules import RuleEngine, registry, select_rules
from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, block, inputs, model_metadata, record


def silent(code: str, error: Exception) -> None:
    raise AssertionError(code) from error


def test_select_rules_accepts_presets_and_codes() -> None:
    assert [rule.code for rule in select_rules("sagemaker")] == ["sagemaker"]
    assert [rule.code for rule in select_rules(["plateau", "nonfinite"])] == [
        "plateau",
        "nonfinite",
    ]
    assert len(select_rules("default")) == len(registry) - 3


@pytest.mark.parametrize("rules", ["everything", ["nonfinite", "vanishing"]])
def test_unknown_rule_raises_and_lists_the_known_ones(rules: Any) -> None:
    with pytest.raises(ValueError, match="nonfinite"):
        RuleEngine(rules)


def test_rules_of_a_wrong_type_raise() -> None:
    with pytest.raises(TypeError, match="expected one of"):
        RuleEngine(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("rules", ["default", "strict", "sagemaker", ["plateau"], []])
def test_engine_uses_the_rules_named_in_the_record(rules: Any) -> None:
    named = RuleEngine(rules).names
    again = RuleEngine.of(record(metadata=model_metadata(rules=named)), silent)
    expected = "default" if rules == [] else rules
    assert again.names == RuleEngine(expected).names


def test_record_without_rules_is_evaluated_by_the_default() -> None:
    assert RuleEngine.of(build_record([block()]), silent).names == ("default",)


def test_rule_that_is_not_defined_here_is_reported_and_skipped() -> None:
    report: list[str] = []
    run = record(metadata=model_metadata(rules=("lopsided-layer", "plateau")))
    engine = RuleEngine.of(run, lambda code, error: report.append(f"{code}: {error}"))
    assert engine.names == ("plateau",)
    assert report == ["lopsided-layer: this rule is not defined in this process"]


def test_rules_of_the_last_fit_are_used() -> None:
    later = model_metadata(step=201, iterations=200, rules=("strict",))
    assert RuleEngine.of(build_record([model_metadata(), block(), later]), silent).names == (
        "strict",
    )


def test_root_causes_come_first() -> None:
    """Sorted by code or step, the other finding would come first."""
    slow = block(ratio=1e-4, loss=np.linspace(1.0, 0.98, NUM_STEPS))
    run = record(
        slow, model_metadata(inputs=inputs(scale=150.0, maximum=255.0)), accuracy=CONSTANT_ACCURACY
    )
    codes = [f.code for f in RuleEngine().findings(run, silent) if f.severity == "warning"]
    assert codes == ["unscaled-inputs", "learning-rate-too-low"]


def test_rule_that_raises_is_reported_once_and_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, run: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(type(registry["plateau"]), "check", broken)
    engine, report = RuleEngine(), []
    run = record(block(gradient=np.nan))
    for _ in range(2):
        findings = engine.findings(run, lambda code, error: report.append((code, str(error))))
        assert "nonfinite" in [finding.code for finding in findings]
    assert report == [("plateau", "planted")]


def test_tentative_finding_is_info_if_a_cause_is_found() -> None:
    flat = block(loss=np.ones(NUM_STEPS))
    alone = RuleEngine().findings(record(flat, accuracy=CONSTANT_ACCURACY), silent)
    assert [(f.code, f.severity) for f in alone] == [("plateau", "warning")]
    metadata = model_metadata(inputs=inputs(scale=100.0))
    with_cause = RuleEngine().findings(record(flat, metadata, accuracy=CONSTANT_ACCURACY), silent)
    assert [(f.code, f.severity) for f in with_cause] == [
        ("unscaled-inputs", "warning"),
        ("plateau", "info"),
    ]


def test_strict_raises_info_to_warning() -> None:
    metadata = model_metadata(inputs=inputs(scale=100.0))
    assert [
        f.severity for f in RuleEngine("strict").findings(record(metadata=metadata), silent)
    ] == ["warning"]


def test_findings_are_sorted_by_severity() -> None:
    ranks = [f.rank for f in RuleEngine().findings(record(block(gradient=np.nan)), silent)]
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize("preset", ["default", "autotrainer", "deepdiagnosis", "sagemaker"])
@pytest.mark.parametrize(
    "values",
    [{"gradient": np.nan}, {"gradient": 0.0}, {"weight": 0.0, "ratio": np.inf}, {"ratio": np.nan},
     {"loss": np.full(NUM_STEPS, np.nan)}, {"loss": np.full(NUM_STEPS, np.inf)},
     {"loss": np.zeros(NUM_STEPS)}, {"num_steps": 1}],
)  # fmt: skip
def test_degenerate_records_cause_no_numpy_warning(
    preset: str, values: dict[str, Any], recwarn: pytest.WarningsRecorder
) -> None:
    for accuracy in (CONSTANT_ACCURACY, np.nan):
        RuleEngine(preset).findings(record(block(**values), accuracy=accuracy), silent)
    assert list(recwarn) == []
