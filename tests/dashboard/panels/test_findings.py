from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keras_l4.report.evaluated_run import EvaluatedRun
from keras_l4.rules import RuleEngine
from tests.dashboard.conftest import Serve, vanishing, write
from tests.rules.records import block, epochs, model_metadata, probe_result

RUN = "a/diagnostics"


def test_findings_are_those_of_the_report(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, vanishing())
    answer = serve().json("findings", run=RUN)
    report = EvaluatedRun.read(tmp_path / "a").as_dict()
    assert answer["findings"] == report["findings"]
    assert "vanishing-gradient" in [finding["code"] for finding in answer["findings"]]
    assert answer | report == answer | {"log_dir": report["log_dir"]}


def test_healthy_run_has_no_findings(tmp_path: Path, serve: Serve) -> None:
    items = [
        model_metadata(),
        probe_result(0, 1 / 3),
        block(),
        *epochs([0.5, 0.9]),
        probe_result(200, 0.9),
    ]
    write(tmp_path / RUN, items)
    assert serve().json("findings", run=RUN)["findings"] == []


def test_rules_are_those_of_the_callback(tmp_path: Path, serve: Serve) -> None:
    metadata, *rest = vanishing()
    write(tmp_path / RUN, [replace(metadata, rules=("nonfinite", "own-rule")), *rest])
    answer = serve().json("findings", run=RUN)
    assert answer["findings"] == []
    assert answer["failed_rules"] == [
        "own-rule failed: LookupError: this rule is not defined in this process"
    ]


def test_failed_rule_is_reported(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / RUN, vanishing())

    def findings(self: RuleEngine, record: object, on_error: object) -> tuple:
        on_error("plateau", ValueError("no"))
        return ()

    monkeypatch.setattr(RuleEngine, "findings", findings)
    assert serve().json("findings", run=RUN)["failed_rules"] == ["plateau failed: ValueError: no"]
