"""What `fit` has recorded is replayed to its cause, in a part of the matrix; `run.py` has all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.forensics.cells import Cell, check, some


@pytest.mark.parametrize("cell", some(), ids="-".join)
def test_the_cause_is_found(tmp_path: Path, cell: Cell) -> None:
    check(cell, tmp_path)
