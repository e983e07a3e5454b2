"""What holds for every rule, by being one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from keras_l4 import rules
from keras_l4.rules import SEVERITIES, Rule, RuleEngine, registry
from keras_l4.rules._evidence import RunView
from tests.rules.records import LOST, block, record

FOLDER = Path(rules.__path__[0])
FILES = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
SECTIONS = ("What it does:", "Why it is bad:", "What to do:", "When it is wrong:", "Source:")


def test_one_file_per_rule() -> None:
    assert {code.replace("-", "_") for code in registry()} == FILES


@pytest.mark.parametrize("code", registry())
def test_its_docstring_has_all_sections_in_order(code: str) -> None:
    text = type(registry()[code]).__doc__ or ""
    places = [text.find(section) for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("code", registry())
def test_silent_on_a_run_that_learns(code: str) -> None:
    findings = list(registry()[code].check(RunView(record())))
    assert [finding for finding in findings if finding.rank > 0] == []


@pytest.mark.parametrize("code", registry())
def test_a_run_of_one_step_without_notes_breaks_nothing(code: str) -> None:
    run = record(block(num_steps=1), responses=[])
    for finding in registry()[code].check(RunView(run)):
        assert finding.severity in SEVERITIES


def test_findings_are_json() -> None:
    findings = RuleEngine("strict").findings(
        record(block(gradient=float("nan")), accuracy=LOST), print
    )
    assert findings
    for finding in findings:
        json.dumps(finding.as_dict(), allow_nan=False)


def test_two_rules_of_one_code_are_an_error() -> None:
    with pytest.raises(ValueError, match="wants the code 'nonfinite'"):

        class Second(Rule):
            code = "nonfinite"

            def check(self, run: RunView) -> object:
                return iter(())


def test_rules_load_no_framework() -> None:
    script = (
        "import sys, keras_l4.rules\n"
        "print(*(n for n in ('keras', 'tensorflow', 'jax', 'torch') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
