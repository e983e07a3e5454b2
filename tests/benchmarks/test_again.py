"""AGAIN.md says what again.json holds, and has a cause for each exception."""

from __future__ import annotations

import json

import pytest

from benchmarks.diagnosis.again import FILE, HERE, exceptions, markdown
from benchmarks.diagnosis.causes import CAUSES

pytestmark = pytest.mark.any_backend


def test_each_exception_has_its_cause() -> None:
    known = json.loads(FILE.read_text(encoding="utf-8"))
    assert set(exceptions(known)) == set(CAUSES)
    assert (HERE / "AGAIN.md").read_text(encoding="utf-8") == markdown(known)
