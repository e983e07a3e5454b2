"""AGAIN.md matches again.json and has a cause for each exception."""

from __future__ import annotations

import pytest

from benchmarks.diagnosis.again import HERE, exceptions, load, markdown
from benchmarks.diagnosis.causes import CAUSES

pytestmark = pytest.mark.any_backend


def test_each_exception_has_a_cause_and_again_md_is_current() -> None:
    known = load()["verdicts"]
    assert set(exceptions(known)) == set(CAUSES)
    assert (HERE / "AGAIN.md").read_text(encoding="utf-8") == markdown(known)
