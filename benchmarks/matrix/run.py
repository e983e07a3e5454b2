"""Runs the matrix: every optimizer in every mode, on the active backend.

    KERAS_BACKEND=jax python benchmarks/matrix/run.py [--part] [MODE ...]

Updates results.json after each mode, so a run that is interrupted loses one mode at most. Results of
other backends, and of modes that are not named, stay as they are. --part runs the cells that the tests
run. Machine, duration and fingerprint are those of the last full run, without arguments.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.cost.machine import describe
from benchmarks.fingerprint import fingerprint
from benchmarks.matrix import results

PROCESSES = 2
# JAX never frees compiled functions, so the processes are replaced after some modes.
MODES_PER_POOL = 6


def run_cell(mode: str, optimizer: str) -> str:
    """Returns the outcome of a cell; it starts with WRONG if keras_l4 changed or misread the run."""
    from benchmarks.matrix.cells import outcome

    try:
        return outcome(mode, optimizer)
    except Exception as error:
        return f"WRONG: {type(error).__name__}: {' '.join(str(error).split())}"


def list_cells(is_part: bool) -> tuple[str, dict[str, str], dict[str, list[str]]]:
    """Returns the backend, the label of each mode and the optimizers of each mode.

    Runs in another process, so that the main process does not keep Keras in memory.
    """
    import keras

    from benchmarks.matrix.cells import optimizers_of, part_of
    from benchmarks.matrix.modes import MODES

    backend, optimizers_in = keras.backend.backend(), part_of if is_part else optimizers_of
    labels = {name: mode.label for name, mode in MODES.items()}
    return backend, labels, {name: optimizers_in(name, backend) for name in MODES}


def main(arguments: list[str]) -> int:
    """Runs the cells; returns 1 if an outcome is wrong."""
    with tempfile.TemporaryDirectory(prefix="keras_l4-jax-") as cache:
        # JAX compiles what several cells have in common only once.
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", cache)
        return run(arguments)


def run(arguments: list[str]) -> int:
    start = time.monotonic()
    with _pool() as pool:
        backend, labels, optimizers = pool.submit(list_cells, "--part" in arguments).result()
    stored: dict[str, Any] = results.load() if results.FILE.exists() else {"cells": {}}
    stored["labels"] = labels
    cells = stored["cells"].setdefault(backend, {})
    # Computed before the first cell: the code may be edited during a long run.
    machine, code = describe(), fingerprint(*results.MEASURED_CODE)
    modes = [mode for mode in arguments if mode in labels] or list(labels)
    for first in range(0, len(modes), MODES_PER_POOL):
        with _pool() as pool:
            # Submitted at once, so that no process waits for the other at the end of a mode.
            futures = {
                mode: {name: pool.submit(run_cell, mode, name) for name in optimizers[mode]}
                for mode in modes[first : first + MODES_PER_POOL]
            }
            for mode, row in futures.items():
                cells[mode] = {name: future.result() for name, future in row.items()}
                _save(stored, labels)
                print(backend, mode, _summary(cells[mode]), flush=True)
    if not arguments:
        machine["minutes"] = round((time.monotonic() - start) / 60, 1)
        stored.setdefault("machine", {})[backend] = machine
        stored.setdefault("fingerprints", {})[backend] = code
        _save(stored, labels)
    return int(any(o.startswith("WRONG") for row in cells.values() for o in row.values()))


def _pool() -> ProcessPoolExecutor:
    # The environment of the tests: one thread per operation, since the processes use all cores.
    environment = {"initializer": import_module, "initargs": ("tests.conftest",)}
    return ProcessPoolExecutor(PROCESSES, get_context("spawn"), **environment)


def _save(stored: dict[str, Any], labels: dict[str, str]) -> None:
    """Saves the results with the modes in the order of the table, whichever was run last."""
    ordered = {
        backend: {mode: cells[mode] for mode in labels if mode in cells}
        for backend, cells in stored["cells"].items()
    }
    results.save(stored | {"cells": ordered})


def _summary(outcomes: results.Outcomes) -> str:
    wrong = {name: o for name, o in outcomes.items() if o.startswith("WRONG")}
    return f"{sum(o == 'ok' for o in outcomes.values())} of {len(outcomes)} ok {wrong or ''}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
