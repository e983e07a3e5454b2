from __future__ import annotations

from typing import Any

import pytest

from keras_l4.rules import registry
from tests.rules.curvatures import measured
from tests.rules.records import CONSTANT_ACCURACY, found, record

FALL = {"+v_min": -1e-3, "-v_min": -2e-3}
STILL = {"+v_min": 1e-9, "-v_min": -1e-9}
BROKEN: dict[str, dict[str, Any]] = {
    "ill-conditioned": {"condition_number": 1e5},
    "edge-of-stability": {"sharpness": 21.0},
    "saddle": {"kind": "saddle", "changes": FALL},
    "flat-region": {"kind": "flat region", "changes": STILL},
}


@pytest.mark.parametrize("code", BROKEN)
def test_only_the_last_measurement_is_evaluated(code: str) -> None:
    (finding,) = found(measured(**BROKEN[code]), code)
    assert (finding.severity, finding.first_step) == ("info", 200)
    assert found(measured(), code) == []
    assert found(record(), code) == []


@pytest.mark.parametrize("code", [code for code in BROKEN if code != "ill-conditioned"])
def test_unskilled_model_gets_a_warning(code: str) -> None:
    (finding,) = found(measured(record(accuracy=CONSTANT_ACCURACY), **BROKEN[code]), code)
    assert finding.severity == "warning"


def test_nan_measurements_give_no_finding() -> None:
    nan = float("nan")
    run = measured(condition_number=nan, sharpness=nan, threshold=nan)
    assert not any(found(run, code) for code in registry)


def test_saddle_requires_the_loss_to_decrease_along_all_directions() -> None:
    assert found(measured(kind="saddle", changes=FALL | {"-v_min": 1e-9}), "saddle") == []


def test_lower_bound_of_the_condition_number_is_marked() -> None:
    run = measured(condition_number=1e5, is_lower_bound=True)
    (finding,) = found(run, "ill-conditioned")
    assert "at least 1e+05 times" in finding.explanation
