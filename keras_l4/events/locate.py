"""Where in a log directory the run is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from keras_l4.events.eventfile import PATTERN
from keras_l4.events.reader import event_files
from keras_l4.records.annotations import AbortedStep, Annotation

_FOLDER = "diagnostics"
_LISTED = 5


def find_run(given: str | os.PathLike[str], optimizer: str | None) -> Path:
    """The folder of the run that the arguments of `load` mean, which has event files of ours."""
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"log_dir={given!r}: expected a folder, as a string or a path.")
    log_dir = Path(given)
    if not log_dir.is_dir():
        kind = "it is a file, not a folder" if log_dir.exists() else "there is no such folder"
        raise FileNotFoundError(f"log_dir={os.fspath(log_dir)!r}: {kind}.")
    root = log_dir / _FOLDER if (log_dir / _FOLDER).is_dir() else log_dir
    runs = _runs(root)
    if not runs:
        deeper = [os.fspath(path.parent) for path in root.rglob(_FOLDER)]
        raise ValueError(
            f"log_dir={os.fspath(log_dir)!r} holds no record of keras_l4. Expected event files "
            f"({PATTERN}) that keras_l4 wrote in {root} or in folders of it; found "
            f"{_some(path.name for path in root.iterdir())}."
            + (f" Pass one of {_some(deeper)}." if deeper else "")
        )
    if optimizer is None and len(runs) == 1:
        return next(iter(runs.values()))
    if optimizer not in runs:
        wanted = "Pass the name of one of them" if len(runs) > 1 else "Leave `optimizer` out"
        raise ValueError(
            f"optimizer={optimizer!r}: {root} holds the runs {sorted(runs)}. {wanted}."
        )
    return runs[optimizer]


def why_empty(notes: Iterable[Annotation]) -> str:
    """Why there is no step in a run, and what to do."""
    refused = [note.message for note in notes if isinstance(note, AbortedStep)]
    if refused:
        return f"its first step was not finished, at NaN or Inf: {refused[-1]}"
    return (
        "nothing has been flushed to it yet. Try again after the first steps, or pass a smaller "
        "`flush_every`."
    )


def _some(names: Iterable[str]) -> str:
    """The first names, and how many there are besides: a home folder has thousands."""
    listed = sorted(names)
    more = len(listed) - _LISTED
    return f"{listed[:_LISTED]}" + (f" and {more} more" if more > 0 else "")


def _runs(root: Path) -> dict[str, Path]:
    """Name to folder: the folder itself (under its own name) and those in it."""
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    return {path.name: path for path in folders if event_files(path)}
