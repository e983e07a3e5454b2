from __future__ import annotations

from typing import Any

import pytest

from keras_l4.rules import registry
from tests.rules.curvatures import measured
from tests.rules.records import LOST, found, record

FALL = {"+v_min": -1e-3, "-v_min": -2e-3}
STILL = {"+v_min": 1e-9, "-v_min": -1e-9}
BROKEN: dict[str, dict[str, Any]] = {
    "ill-conditioned": {"condition_number": 1e5},
    "edge-of-stability": {"sharpness": 21.0},
    "saddle": {"kind": "saddle", "changes": FALL},
    "flat-region": {"kind": "flat region", "changes": STILL},
}


@pytest.mark.parametrize("code", BROKEN)
def test_found_in_the_last_measurement_only(code: str) -> None:
    (finding,) = found(measured(**BROKEN[code]), code)
    assert (finding.severity, finding.first_step) == ("info", 200)
    assert found(measured(), code) == []
    assert found(record(), code) == []


@pytest.mark.parametrize("code", [code for code in BROKEN if code != "ill-conditioned"])
def test_a_warning_where_little_was_learned(code: str) -> None:
    (finding,) = found(measured(record(accuracy=LOST), **BROKEN[code]), code)
    assert finding.severity == "warning"


def test_what_is_not_known_is_no_finding() -> None:
    nan = float("nan")
    run = measured(condition_number=nan, sharpness=nan, threshold=nan)
    assert not any(found(run, code) for code in registry())


def test_a_saddle_needs_its_certificate() -> None:
    assert found(measured(kind="saddle", changes=FALL | {"-v_min": 1e-9}), "saddle") == []


def test_a_bound_is_told_as_one() -> None:
    run = measured(condition_number=1e5, is_lower_bound=True)
    (finding,) = found(run, "ill-conditioned")
    assert "at least 1e+05 times" in finding.explanation
