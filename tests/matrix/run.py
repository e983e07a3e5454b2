"""The whole matrix: every optimizer in every mode, on the active backend.

    KERAS_BACKEND=jax python tests/matrix/run.py [MODE ...]

Writes what it finds into results.json, after each mode, and leaves the other backends' (and modes,
where some are named) as they are.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.machine import describe
from tests.matrix import results

PROCESSES = 2


def measured(mode: str, optimizer: str) -> str:
    """The outcome of one cell; one that is wrong begins with WRONG."""
    from tests.matrix.cells import outcome

    try:
        return outcome(mode, optimizer)
    except Exception as error:
        return f"WRONG: {type(error).__name__}: {' '.join(str(error).split())}"


def names() -> tuple[str, dict[str, str], dict[str, list[str]]]:
    """Backend, mode to row, mode to optimizers: what only a process that has Keras knows."""
    import tests.conftest  # noqa: F401
    import keras  # isort: skip

    from tests.matrix.cells import optimizers_of
    from tests.matrix.modes import MODES

    backend = keras.backend.backend()
    says = {name: mode.says for name, mode in MODES.items()}
    return backend, says, {name: optimizers_of(name, backend) for name in MODES}


def main(only: list[str]) -> int:
    """Returns 1 where a cell is wrong."""
    # JAX keeps all that it ever compiled.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, spawn, max_tasks_per_child=200) as pool:
        backend, says, optimizers = pool.submit(names).result()
        known: dict[str, Any] = results.load() if results.FILE.exists() else {"cells": {}}
        known |= {"says": says}
        known["cells"].setdefault(backend, {})
        known.setdefault("machine", {})[backend] = describe()
        for mode in only or says:
            asked = optimizers[mode]
            outcomes = pool.map(measured, [mode] * len(asked), asked)
            known["cells"][backend][mode] = dict(zip(asked, outcomes, strict=True))
            results.FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            print(backend, mode, _summary(known["cells"][backend][mode]), flush=True)
    cells = known["cells"][backend]
    return int(any(o.startswith("WRONG") for row in cells.values() for o in row.values()))


def _summary(outcomes: dict[str, str]) -> str:
    wrong = {name: o for name, o in outcomes.items() if o.startswith("WRONG")}
    return f"{sum(o == 'ok' for o in outcomes.values())} of {len(outcomes)} ok {wrong or ''}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
