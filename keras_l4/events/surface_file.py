"""The numbers of a slice of the loss surface, in a file of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from keras_l4.records.annotations import SurfaceSlice


def save_surface(folder: Path, note: SurfaceSlice) -> Path:
    """Writes `surface-<step>.npz`, an array for each field of the note, and gives its path.

    `np.load` needs no `allow_pickle` for it.

    Raises:
        OSError: It could not be written.
    """
    path = folder / f"surface-{note.step}.npz"
    arrays = {name: np.array(value) for name, value in asdict(note).items()}
    np.savez(path, allow_pickle=False, **arrays)
    return path
