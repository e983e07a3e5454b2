"""Requirements that every registered rule meets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from keras_l4 import rules
from keras_l4.rules import SEVERITIES, Rule, RuleEngine, registry
from keras_l4.rules._run_view import RunView
from tests.rules.records import CONSTANT_ACCURACY, block, record

FOLDER = Path(rules.__path__[0])
FILES = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
SECTIONS = ("What it does:", "Why it is bad:", "What to do:", "When it is wrong:", "Source:")


def test_each_rule_has_its_file() -> None:
    assert {code.replace("-", "_") for code in registry} == FILES


@pytest.mark.parametrize("code", registry)
def test_docstring_has_all_sections_in_order(code: str) -> None:
    text = type(registry[code]).__doc__ or ""
    places = [text.find(section) for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("code", registry)
def test_healthy_run_gets_no_warning(code: str) -> None:
    findings = list(registry[code].check(RunView(record())))
    assert [finding for finding in findings if finding.rank > 0] == []


@pytest.mark.parametrize("code", registry)
def test_run_of_one_step_without_annotations_is_accepted(code: str) -> None:
    run = record(block(num_steps=1), probes=[])
    for finding in registry[code].check(RunView(run)):
        assert finding.severity in SEVERITIES


def test_findings_are_valid_json() -> None:
    findings = RuleEngine("strict").findings(
        record(block(gradient=float("nan")), accuracy=CONSTANT_ACCURACY), print
    )
    assert findings
    for finding in findings:
        json.dumps(finding.as_dict(), allow_nan=False)


def test_duplicate_code_raises() -> None:
    with pytest.raises(ValueError, match="code='nonfinite', which NonFiniteGradients"):

        class Second(Rule):
            code = "nonfinite"

            def check(self, run: RunView) -> object:
                return iter(())


def test_rules_import_no_framework() -> None:
    script = (
        "import sys, keras_l4.rules\n"
        "print(*(n for n in ('keras', 'tensorflow', 'jax', 'torch') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
