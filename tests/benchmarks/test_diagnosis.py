"""Two programs on every backend, a few more on one; `make diagnose` runs all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import keras_l4
from benchmarks.diagnosis import faulty, healthy
from benchmarks.diagnosis.program import CASES
from benchmarks.diagnosis.table import by_code, judge, totals
from keras_l4.callbacks import TrainingDiagnostics

assert faulty.__name__ != healthy.__name__, "importing the modules registers the programs"

FEW = ("momentum-that-diverges", "small-batches")
MORE = (
    "sigmoid-tower-on-moons",
    "wine-as-it-comes",
    "an-output-at-its-end",
    "a-classifier-that-is-sure",
)
# These rules need a `Curvature` callback, which no program has. They are tested in
# tests/rules/test_curvature_rules.py.
OF_CURVATURE = {"edge-of-stability", "flat-region", "ill-conditioned", "saddle"}


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(name, marks=pytest.mark.any_backend) for name in MORE)]
)
def test_verdict_matches_the_label(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    diagnostics = TrainingDiagnostics(tmp_path, verbose=0)
    case.run(diagnostics)
    verdict = judge(case, keras_l4.load(tmp_path), "default")

    assert not verdict.is_false_alarm
    assert verdict.is_right == bool(case.codes)
    assert verdict.codes == tuple(dict.fromkeys(f.code for f in diagnostics.findings if f.rank > 0))
    if case.codes:
        assert verdict.detected_at is not None
        assert verdict.detected_at <= verdict.num_steps


@pytest.mark.any_backend
def test_there_are_enough_programs_of_each_kind() -> None:
    broken = [case for case in CASES.values() if case.codes]
    assert len(broken) >= 40
    assert len(CASES) - len(broken) >= 40
    own = {code for code, rule in keras_l4.rules.registry.items() if rule.preset == "default"}
    for code in own - OF_CURVATURE:
        assert sum(code in case.codes[:1] for case in broken) >= 2, code
        assert any(case.like == code for case in CASES.values()), code
    assert len({case.policy for case in CASES.values()}) >= 3


@pytest.mark.any_backend
def test_totals_and_by_code_count_verdicts() -> None:
    from benchmarks.diagnosis.table import Verdict

    wrong, fine = CASES["wine-as-it-comes"], CASES["small-batches"]
    verdicts = [
        Verdict(wrong, ("unscaled-inputs",), 20, 100),
        Verdict(wrong, ("dead-layer",), None, 100),
        Verdict(wrong, (), None, 100),
        Verdict(fine, ("dead-layer",), None, 100),
        Verdict(fine, (), None, 100),
    ]
    assert totals(verdicts) == {
        "faulty": 3,
        "found": 2,
        "right": 1,
        "healthy": 2,
        "false alarms": 1,
    }
    assert by_code(verdicts) == [("unscaled-inputs", "1/1", "1/3", "20")]
