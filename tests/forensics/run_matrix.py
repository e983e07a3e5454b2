"""Runs the whole matrix of faults on the active backend: python tests/forensics/run_matrix.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import keras

from tests.forensics.matrix import ALL_CELLS, check


def main() -> int:
    """Prints a line for each cell and returns the number of cells that failed."""
    num_failed = 0
    for number, cell in enumerate(ALL_CELLS):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        folder = Path(tempfile.mkdtemp(prefix=f"fault-{number}-"))
        try:
            outcome = str(check(cell, folder).origin)
        except Exception as error:
            num_failed, outcome = num_failed + 1, f"FAILED {type(error).__name__}: {error}"
        print(" | ".join([*cell, " ".join(outcome.split())]), flush=True)
    print(f"{len(ALL_CELLS) - num_failed} of {len(ALL_CELLS)} origins found")
    return num_failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
