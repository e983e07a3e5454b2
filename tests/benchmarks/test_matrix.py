"""The cells of the matrix that belong to the tests; `make matrix` runs all of them.

Over the backends, the tests cover every pair of mode and optimizer. Trained weights are compared bit for
bit with a run without keras_l4, and the record with the gradients of the backend's autodiff.
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
def test_training_is_unchanged_and_the_record_is_correct(mode: str, optimizer: str) -> None:
    stored = results.load()["cells"].get(BACKEND, {}).get(mode, {})
    assert outcome(mode, optimizer) == stored.get(optimizer, "ok")


@pytest.mark.parametrize("mode", MODES)
def test_cells_of_all_backends_cover_the_full_matrix(mode: str) -> None:
    backends = [backend for backend in results.BACKENDS if backend not in MODES[mode].slow_on]
    tested = [name for backend in backends for name in part_of(mode, backend)]
    assert sorted(tested) == sorted(optimizers_of(mode, backends[0]))


def test_stored_results_cover_the_full_matrix() -> None:
    stored = results.load()["cells"][BACKEND]
    expected = {mode: optimizers_of(mode, BACKEND) for mode in MODES}
    assert {mode: list(outcomes) for mode, outcomes in stored.items()} == expected
    all_outcomes = [outcome for outcomes in stored.values() for outcome in outcomes.values()]
    assert not [outcome for outcome in all_outcomes if outcome.startswith("WRONG")]


@pytest.mark.any_backend
def test_readme_shows_the_stored_results() -> None:
    assert results.table(results.load()) in README.read_text(encoding="utf-8")
