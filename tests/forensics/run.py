"""Runs every cell of the matrix on the active backend: python tests/forensics/run.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import keras

from tests.forensics.cells import ALL, check


def main() -> int:
    """Returns the number of cells in which the cause was not found."""
    num_failed = 0
    for number, cell in enumerate(ALL):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        folder = Path(tempfile.mkdtemp(prefix=f"cause-{number}-"))
        try:
            outcome = str(check(cell, folder).birth)
        except Exception as error:
            num_failed, outcome = num_failed + 1, f"FAILED {type(error).__name__}: {error}"
        print(" | ".join([*cell, " ".join(outcome.split())]), flush=True)
    print(f"{len(ALL) - num_failed} of {len(ALL)} found")
    return num_failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
