"""Finds the folder of a run in a log directory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from keras_l4.events.event_file import FILE_PATTERN
from keras_l4.events.reader import event_files
from keras_l4.records.annotations import AbortedStep, Annotation

_DIAGNOSTICS_FOLDER = "diagnostics"
_MAX_LISTED = 5


def find_run(log_dir: str | os.PathLike[str], optimizer: str | None) -> Path:
    """Returns the folder with the event files of a run; for the arguments see `load`.

    Raises:
        TypeError: `log_dir` is not a path.
        FileNotFoundError: There is no such folder.
        ValueError: There is no run, or `optimizer` does not name one.
    """
    root = _root_of(log_dir)
    runs = _runs_in(root)
    if not runs:
        raise ValueError(_no_run_message(log_dir, root))
    if optimizer is None and len(runs) == 1:
        return next(iter(runs.values()))
    if optimizer not in runs:
        fix = "Pass the name of one of them" if len(runs) > 1 else "Leave `optimizer` out"
        raise ValueError(
            f"optimizer={optimizer!r}: {root} contains the runs {sorted(runs)}. {fix}."
        )
    return runs[optimizer]


def empty_run_reason(annotations: Iterable[Annotation]) -> str:
    """Returns the reason why a run has no steps, and how to proceed."""
    errors = [item.message for item in annotations if isinstance(item, AbortedStep)]
    if errors:
        return f"the first step was aborted because of NaN or Inf: {errors[-1]}"
    return (
        "no step has been flushed to it yet. Try again after the first steps, or pass a smaller "
        "`flush_every`."
    )


def _root_of(log_dir: str | os.PathLike[str]) -> Path:
    """Returns `log_dir`, or the diagnostics folder in it."""
    if not isinstance(log_dir, (str, os.PathLike)):
        raise TypeError(f"log_dir={log_dir!r}: expected a folder, as a string or a path.")
    path = Path(log_dir)
    if not path.is_dir():
        problem = "it is a file, not a folder" if path.exists() else "there is no such folder"
        raise FileNotFoundError(f"log_dir={os.fspath(path)!r}: {problem}.")
    diagnostics = path / _DIAGNOSTICS_FOLDER
    return diagnostics if diagnostics.is_dir() else path


def _runs_in(root: Path) -> dict[str, Path]:
    """Returns name to path of the folders with event files: `root` itself and those in it."""
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    return {path.name: path for path in folders if event_files(path)}


def _no_run_message(log_dir: str | os.PathLike[str], root: Path) -> str:
    nested = [os.fspath(path.parent) for path in root.rglob(_DIAGNOSTICS_FOLDER)]
    return (
        f"log_dir={os.fspath(log_dir)!r} contains no run of keras_l4. Expected event files "
        f"({FILE_PATTERN}) in {root} or in a folder of it; found "
        f"{_list_some(path.name for path in root.iterdir())}."
        + (f" Pass one of {_list_some(nested)}." if nested else "")
    )


def _list_some(names: Iterable[str]) -> str:
    """Lists the first names and counts the others; a home folder may have thousands."""
    ordered = sorted(names)
    num_others = len(ordered) - _MAX_LISTED
    return f"{ordered[:_MAX_LISTED]}" + (f" and {num_others} more" if num_others > 0 else "")
