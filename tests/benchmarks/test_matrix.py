"""A part of the matrix that covers every pair of mode, optimizer and backend; `make matrix` is all.

Weights are compared bit for bit with a run without us, the record with the backend's own
differentiation at the weights of that run.
"""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from benchmarks.matrix import results
from benchmarks.matrix.cells import optimizers_of, outcome, part_of
from benchmarks.matrix.modes import MODES

BACKEND = keras.backend.backend()
README = Path(__file__).parents[2] / "README.md"


CELLS = [(name, optimizer) for name in MODES for optimizer in part_of(name, BACKEND)]


@pytest.mark.parametrize(("mode", "optimizer"), CELLS)
def test_only_watched_and_rightly_recorded(mode: str, optimizer: str) -> None:
    written = results.load()["cells"].get(BACKEND, {}).get(mode, {})
    assert outcome(mode, optimizer) == written.get(optimizer, "ok")


@pytest.mark.parametrize("mode", MODES)
def test_the_parts_are_the_whole(mode: str) -> None:
    able = [backend for backend in results.BACKENDS if backend not in MODES[mode].slow_on]
    parts = [name for backend in able for name in part_of(mode, backend)]
    assert sorted(parts) == sorted(optimizers_of(mode, able[0]))


def test_the_whole_matrix_was_run() -> None:
    committed = results.load()["cells"][BACKEND]
    asked = {mode: optimizers_of(mode, BACKEND) for mode in MODES}
    assert {mode: list(row) for mode, row in committed.items()} == asked
    outcomes = [outcome for row in committed.values() for outcome in row.values()]
    assert not [outcome for outcome in outcomes if outcome.startswith("WRONG")]


@pytest.mark.any_backend
def test_the_readme_shows_what_it_gave() -> None:
    assert results.table(results.load()) in README.read_text(encoding="utf-8")
