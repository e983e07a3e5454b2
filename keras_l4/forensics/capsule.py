"""Capsule: the training state and the batches before a non-finite number, as JSON and .npz files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import keras
import numpy as np

from keras_l4.forensics.batch_buffer import RecordedBatch
from keras_l4.forensics.pytree_json import array_name, from_json
from keras_l4.keras_internals import TrainingState

FORMAT = 1
_METADATA_FILE = "capsule.json"
_STATE_KINDS = ("trainable", "non_trainable", "optimizer", "metrics")
# What reading a damaged or crafted file may raise. The second line: a file may claim an array larger
# than memory, or be nested too deeply.
_DAMAGE_ERRORS = (
    *(AttributeError, BadZipFile, EOFError, KeyError, IndexError, TypeError, ValueError, OSError),
    *(MemoryError, RecursionError, OverflowError),
)
_METADATA_TYPES: dict[str, Any] = {
    **{"step": int, "event": dict, "structures": list, "epoch_starts": list, "variables": dict},
    **{"recorded": list, "backend": str, "model": (dict, type(None))},
}


@dataclass(frozen=True)
class Capsule:
    """A snapshot of the training state, the batches since then, and what was recorded.

    Attributes:
        metadata: Content of `capsule.json`: `format`, `event`, `step` (number of steps before the
            first batch), `structures` (of the batches), `epoch_starts`, `model` (its configuration,
            or None), `variables` (paths by kind), `recorded` (paths of the recorded variables),
            `backend`, `versions` and so on.
        state: Values of all variables before the first batch.
        batches: Batches in order; the event is at one of them.
        rows: Recorded values of these steps: `steps`, `loss` and `learning_rate` `[steps]`,
            `gradient_norm` `[steps, variables]`.
    """

    metadata: Mapping[str, Any]
    state: TrainingState
    batches: Sequence[RecordedBatch]
    rows: Mapping[str, np.ndarray]

    def save(self, folder: Path) -> None:
        """Writes the capsule. If the process is killed meanwhile, `folder` does not exist.

        Raises:
            OSError: The files could not be written, or `folder` exists.
            ValueError: An array contains Python objects.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".capsule-", dir=folder.parent))
        try:
            self._write(temporary)
            # Renaming is atomic: readers see all files or none.
            os.rename(temporary, folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    def _write(self, folder: Path) -> None:
        (folder / _METADATA_FILE).write_text(json.dumps(self.metadata, indent=1), encoding="utf-8")
        _save_arrays(folder / "rows.npz", self.rows)
        for kind, arrays in self.state.items():
            _save_arrays(folder / f"{kind}.npz", _numbered(arrays))
        for i, batch in enumerate(self.batches):
            arrays = [x for x in keras.tree.flatten(batch) if x is not None]
            _save_arrays(folder / f"batch-{array_name(i)}.npz", _numbered(arrays))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Capsule:
        """Reads a capsule. Nothing is unpickled, and no code from the capsule is run.

        Raises:
            FileNotFoundError: `folder` is not a capsule.
            ValueError: The capsule is damaged, or has the format of another version.
        """
        path = Path(folder)
        if not (path / _METADATA_FILE).is_file():
            raise FileNotFoundError(
                f"{os.fspath(folder)!r} is not a capsule: it contains no {_METADATA_FILE}. Pass "
                + _suggestion(path)
            )
        try:
            return cls._read(path)
        except _DAMAGE_ERRORS as error:
            raise ValueError(f"The capsule {os.fspath(folder)!r} is damaged: {error}") from error

    @classmethod
    def _read(cls, path: Path) -> Capsule:
        metadata = json.loads((path / _METADATA_FILE).read_text(encoding="utf-8"))
        if metadata["format"] != FORMAT:
            raise ValueError(f"format {metadata['format']!r}, expected {FORMAT}")
        state = {
            kind: [arrays[array_name(i)] for i in range(len(paths))]
            for kind, paths in metadata["variables"].items()
            for arrays in [_load_arrays(path / f"{_checked_kind(kind)}.npz")]
        }
        batches = [
            from_json(structure, _load_arrays(path / f"batch-{array_name(i)}.npz"))
            for i, structure in enumerate(metadata["structures"])
        ]
        rows = _load_arrays(path / "rows.npz")
        _check(metadata, batches, rows)
        return cls(metadata, state, batches, rows)


def _check(metadata: Any, batches: Sequence[Any], rows: Mapping[str, np.ndarray]) -> None:
    """Raises one of the `_DAMAGE_ERRORS` if the content could make a replay fail."""
    wrong = [key for key, kind in _METADATA_TYPES.items() if not isinstance(metadata[key], kind)]
    if wrong or not isinstance(metadata["event"]["step"], int):
        raise ValueError(f"{', '.join(wrong) or 'event'} in {_METADATA_FILE} has an invalid type")
    if not batches or not all(isinstance(x, tuple) and len(x) == 2 for x in batches):
        raise ValueError("it contains no batches")
    shape = (len(rows["steps"]), len(metadata["recorded"]))
    shapes = dict.fromkeys(("steps", "loss", "learning_rate"), shape[:1]) | {"gradient_norm": shape}
    wrong = [name for name, expected in shapes.items() if rows[name].shape != expected]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} in rows.npz has an invalid shape")


def _checked_kind(kind: str) -> str:
    # The kind is part of a file name: "../x" would lead out of the folder.
    if kind not in _STATE_KINDS:
        raise ValueError(f"unknown kind of variables {kind!r}")
    return kind


def _numbered(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {array_name(i): array for i, array in enumerate(arrays)}


def _save_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"Array {name} contains Python objects; expected numbers or strings.")
    np.savez(file, **arrays)  # type: ignore[arg-type]


def _load_arrays(file: Path) -> dict[str, np.ndarray]:
    with ZipFile(file) as archive:
        # A small compressed file could unpack to more than the memory of the machine.
        if any(entry.compress_type != ZIP_STORED for entry in archive.infolist()):
            raise ValueError(f"{file.name} is compressed; expected an uncompressed .npz file")
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _suggestion(folder: Path) -> str:
    """Returns what to pass instead of a folder that is not a capsule."""
    found = sorted(os.fspath(file.parent) for file in folder.glob(f"*/{_METADATA_FILE}"))
    if found:
        return f"one of {found}, which are inside it."
    return "the folder `capsule-<step>` that FlightRecorder wrote to its log_dir."
