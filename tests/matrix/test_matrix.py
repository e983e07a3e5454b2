"""A part of the matrix that covers every pair of mode, optimizer and backend; `make matrix` is all.

Weights are compared bit for bit with a run without us, the record with the backend's own
differentiation at the weights of that run.
"""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from tests.matrix import results
from tests.matrix.cells import optimizers_of, outcome
from tests.matrix.modes import MODES

BACKEND = keras.backend.backend()
COLUMN = list(results.BACKENDS).index(BACKEND)
README = Path(__file__).parents[2] / "README.md"


def cells() -> list[tuple[str, str]]:
    """Each mode with a third of its optimizers, another on each backend."""
    return [
        (name, optimizer)
        for i, (name, mode) in enumerate(MODES.items())
        if BACKEND not in mode.slow_on
        for j, optimizer in enumerate(optimizers_of(name, BACKEND))
        if (i + j) % 3 == COLUMN
    ]


@pytest.mark.parametrize(("mode", "optimizer"), cells())
def test_only_watched_and_rightly_recorded(mode: str, optimizer: str) -> None:
    assert outcome(mode, optimizer) == results.load()["cells"][BACKEND][mode][optimizer]


def test_the_whole_matrix_was_run() -> None:
    committed = results.load()["cells"][BACKEND]
    asked = {mode: optimizers_of(mode, BACKEND) for mode in MODES}
    assert {mode: list(row) for mode, row in committed.items()} == asked
    outcomes = [outcome for row in committed.values() for outcome in row.values()]
    assert not [outcome for outcome in outcomes if outcome.startswith("WRONG")]


@pytest.mark.any_backend
def test_the_readme_shows_what_it_gave() -> None:
    assert results.table(results.load()) in README.read_text(encoding="utf-8")
