"""Capsule: what is needed to run the steps before a non-finite number again, in open formats."""

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

from keras_l4.forensics.structure import number, restored
from keras_l4.forensics.tape import RngState
from keras_l4.keras_internals import Batch, State

FORMAT = 1
_ABOUT = "capsule.json"
_DAMAGES = (
    *(AttributeError, BadZipFile, EOFError, KeyError, IndexError, TypeError, ValueError, OSError),
    # What claims to be larger, or deeper, than can be.
    *(MemoryError, RecursionError, OverflowError),
)
_KEYS: dict[str, Any] = {
    **{"step": int, "event": dict, "structures": list, "epochs_begin": list, "variables": dict},
    **{"recorded": list, "backend": str, "model": (dict, type(None))},
}


@dataclass(frozen=True)
class Capsule:
    """The state before some steps, their batches, and what was recorded of them.

    Attributes:
        about: What JSON can hold: `format`, `event`, `step` (how many were run before the first
            of these), `structures` of the batches, `model` (its configuration, or None), `variables`
            (their paths by kind), `versions` and so on.
        state: The values of all variables before the first of the steps.
        batches: Those of the steps, in order, and what each draws from; the last is not earlier than
            the event.
        rows: What was recorded of these steps: `steps`, `gradient_norm`, `loss`,
            `learning_rate`.
    """

    about: Mapping[str, Any]
    state: State
    batches: Sequence[tuple[Batch, RngState]]
    rows: Mapping[str, np.ndarray]

    def save(self, folder: Path) -> None:
        """Writes it: after a crash there is the whole of it or nothing.

        Raises:
            OSError: It could not be written, or `folder` exists.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".capsule-", dir=folder.parent))
        try:
            self._write(unfinished)
            os.rename(unfinished, folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def _write(self, folder: Path) -> None:
        (folder / _ABOUT).write_text(json.dumps(self.about, indent=1), encoding="utf-8")
        _save(folder / "rows.npz", self.rows)
        for kind, arrays in self.state.items():
            _save(folder / f"{kind}.npz", {number(i): x for i, x in enumerate(arrays)})
        for step, batch in enumerate(self.batches):
            arrays = [x for x in keras.tree.flatten(batch) if x is not None]
            _save(
                folder / f"batch-{number(step)}.npz", {number(i): x for i, x in enumerate(arrays)}
            )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Capsule:
        """Reads one. Nothing is unpickled, and nothing of it is run.

        Raises:
            FileNotFoundError: `folder` is none.
            ValueError: It is damaged, or made by a later version.
        """
        path = Path(folder)
        if not (path / _ABOUT).is_file():
            raise FileNotFoundError(
                f"{os.fspath(folder)!r} is no capsule: it has no {_ABOUT}. Pass "
                + _capsules_in(path)
            )
        try:
            return cls._read(path)
        except _DAMAGES as error:
            raise ValueError(f"The capsule {os.fspath(folder)!r} is damaged: {error}") from error

    @classmethod
    def _read(cls, path: Path) -> Capsule:
        about = json.loads((path / _ABOUT).read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}, expected {FORMAT}")
        state = {
            kind: [arrays[number(i)] for i in range(len(paths))]
            for kind, paths in about["variables"].items()
            for arrays in [_load(path / f"{_kind(kind)}.npz")]
        }
        batches = [
            restored(structure, _load(path / f"batch-{number(step)}.npz"))
            for step, structure in enumerate(about["structures"])
        ]
        rows = _load(path / "rows.npz")
        _check(about, batches, rows)
        return cls(about, state, batches, rows)


def _check(about: Any, batches: Sequence[Any], rows: Mapping[str, np.ndarray]) -> None:
    """Raises one of the `_DAMAGES` where replay could not go on with what was read."""
    wrong = [key for key, kind in _KEYS.items() if not isinstance(about[key], kind)]
    if wrong or not isinstance(about["event"]["step"], int):
        raise ValueError(f"{', '.join(wrong) or 'event'} in {_ABOUT} is of another type")
    if not batches or not all(isinstance(x, tuple) and len(x) == 2 for x in batches):
        raise ValueError("it has no batches")
    shape = (len(rows["steps"]), len(about["recorded"]))
    shapes = dict.fromkeys(("steps", "loss", "learning_rate"), shape[:1]) | {"gradient_norm": shape}
    wrong = [name for name, expected in shapes.items() if rows[name].shape != expected]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} in rows.npz has another shape")


def _kind(name: str) -> str:
    if name not in ("trainable", "non_trainable", "optimizer", "metrics"):
        raise ValueError(f"it has variables of the kind {name!r}")
    return name


def _save(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, which no open format does")
    np.savez(file, **arrays)  # type: ignore[arg-type]


def _load(file: Path) -> dict[str, np.ndarray]:
    with ZipFile(file) as archive:
        # What is stored as it is takes no more in memory than the file on disk.
        if any(entry.compress_type != ZIP_STORED for entry in archive.infolist()):
            raise ValueError(f"{file.name} is compressed, as no capsule is")
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _capsules_in(folder: Path) -> str:
    """What to pass instead of a folder that is none."""
    found = sorted(os.fspath(file.parent) for file in folder.glob(f"*/{_ABOUT}"))
    if found:
        return f"one of {found}, which lie in it."
    return "the folder `capsule-<step>` that FlightRecorder has written into its log_dir."
