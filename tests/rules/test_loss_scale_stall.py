from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keras_l4.records.history import Record
from tests.rules.records import NUM_STEPS, block, found, record


def run(first: int, last: int) -> Record:
    number = np.arange(NUM_STEPS)
    skipped = (number >= first) & (number < last)
    scale = 2.0 ** (15 - np.cumsum(skipped))
    return record(replace(block(), skipped=skipped, loss_scale=scale))


@pytest.mark.parametrize(("last", "severity"), [(NUM_STEPS, "error"), (120, "warning")])
def test_steps_that_are_consecutive_skipped_steps(last: int, severity: str) -> None:
    (finding,) = found(run(100, last), "loss-scale-stall")
    assert (finding.severity, finding.first_step, finding.last_step) == (severity, 101, last)
    assert finding.evidence["consecutive_skipped_steps"] == last - 100


def test_few_skipped_steps_are_no_finding() -> None:
    assert found(run(0, 5), "loss-scale-stall") == []
