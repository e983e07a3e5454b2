from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keras_l4.report.judged import EvaluatedRun
from keras_l4.rules import RuleEngine
from tests.dashboard.conftest import Serve, vanishing, write
from tests.rules.records import block, epochs, facts, response

RUN = "a/diagnostics"


def test_are_those_of_the_report(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, vanishing())
    told = serve().json("findings", run=RUN)
    judged = EvaluatedRun.read(tmp_path / "a").as_dict()
    assert told["findings"] == judged["findings"]
    assert "vanishing-gradient" in [finding["code"] for finding in told["findings"]]
    assert told | judged == told | {"log_dir": judged["log_dir"]}


def test_healthy_run_has_none(tmp_path: Path, serve: Serve) -> None:
    items = [facts(), response(0, 1 / 3), block(), *epochs([0.5, 0.9]), response(200, 0.9)]
    write(tmp_path / RUN, items)
    assert serve().json("findings", run=RUN)["findings"] == []


def test_are_by_the_rules_of_the_callback(tmp_path: Path, serve: Serve) -> None:
    known, *rest = vanishing()
    write(tmp_path / RUN, [replace(known, rules=("nonfinite", "own-rule")), *rest])
    told = serve().json("findings", run=RUN)
    assert told["findings"] == []
    assert told["failed_rules"] == ["own-rule failed: LookupError: there is no such rule here"]


def test_rule_that_fails_is_told(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / RUN, vanishing())

    def findings(self: RuleEngine, record: object, on_error: object) -> tuple:
        on_error("plateau", ValueError("no"))
        return ()

    monkeypatch.setattr(RuleEngine, "findings", findings)
    assert serve().json("findings", run=RUN)["failed_rules"] == ["plateau failed: ValueError: no"]
