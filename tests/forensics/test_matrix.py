"""A part of the matrix of faults; `run_matrix.py` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.forensics.matrix import Cell, check, select_cells


@pytest.mark.parametrize("cell", select_cells(), ids="-".join)
def test_replay_finds_the_origin(tmp_path: Path, cell: Cell) -> None:
    check(cell, tmp_path)
