"""The whole matrix: every optimizer in every mode, on the active backend.

    KERAS_BACKEND=jax python benchmarks/matrix/run.py [--part] [MODE ...]

--part runs what the tests run. Writes what it finds into results.json, after each mode, and leaves
the other backends' (and modes, where some are named) as they are. Date and versions are those of the
last run that named none.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.cost.machine import describe
from benchmarks.matrix import results

PROCESSES = 2
# JAX keeps all that it ever compiled.
MODES_PER_POOL = 4


def measured(mode: str, optimizer: str) -> str:
    """The outcome of one cell; one that is wrong begins with WRONG."""
    from benchmarks.matrix.cells import outcome

    try:
        return outcome(mode, optimizer)
    except Exception as error:
        return f"WRONG: {type(error).__name__}: {' '.join(str(error).split())}"


def names(part: bool) -> tuple[str, dict[str, str], dict[str, list[str]]]:
    """Backend, mode to row, mode to optimizers: what only a process that has Keras knows."""
    import tests.conftest  # noqa: F401
    import keras  # isort: skip

    from benchmarks.matrix.cells import optimizers_of, part_of
    from benchmarks.matrix.modes import MODES

    backend, asked = keras.backend.backend(), part_of if part else optimizers_of
    says = {name: mode.says for name, mode in MODES.items()}
    return backend, says, {name: asked(name, backend) for name in MODES}


def main(only: list[str]) -> int:
    """Returns 1 where a cell is wrong."""
    part = "--part" in only
    with _pool() as pool:
        backend, says, optimizers = pool.submit(names, part).result()
    known: dict[str, Any] = results.load() if results.FILE.exists() else {"cells": {}}
    known |= {"says": says}
    known["cells"].setdefault(backend, {})
    asked = [mode for mode in only if mode in says]
    if not asked:
        known.setdefault("machine", {})[backend] = describe()
        asked = list(says)
    for start in range(0, len(asked), MODES_PER_POOL):
        with _pool() as pool:
            for mode in asked[start : start + MODES_PER_POOL]:
                row = pool.map(measured, [mode] * len(optimizers[mode]), optimizers[mode])
                known["cells"][backend][mode] = dict(zip(optimizers[mode], row, strict=True))
                _write(known, says)
                print(backend, mode, _summary(known["cells"][backend][mode]), flush=True)
    cells = known["cells"][backend]
    return int(any(o.startswith("WRONG") for row in cells.values() for o in row.values()))


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES, get_context("spawn"))


def _write(known: dict[str, Any], says: dict[str, str]) -> None:
    """The modes stand in their own order, in whichever they were run."""
    known["cells"] = {
        backend: {mode: rows[mode] for mode in says if mode in rows}
        for backend, rows in known["cells"].items()
    }
    results.FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def _summary(outcomes: dict[str, str]) -> str:
    wrong = {name: o for name, o in outcomes.items() if o.startswith("WRONG")}
    return f"{sum(o == 'ok' for o in outcomes.values())} of {len(outcomes)} ok {wrong or ''}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
