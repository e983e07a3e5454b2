"""Runs the scripts of this folder in processes of their own, and reads what they found."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras

ROOT = Path(__file__).parents[2]
SECONDS = 240
# Collectives wait for each other, each in a thread.
_THREADS = dict.fromkeys(("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"), "4")


def run(script: str, folder: Path, *arguments: str, processes: int = 1, **environment: str) -> Any:
    """What each process pickled into the file it was given, one or a list.

    Raises:
        AssertionError: A process failed, or they took too long; all are ended by then.
    """
    files = [folder / f"{script}-{i}" for i in range(processes)]
    command = [sys.executable, "-m", f"tests.distribution.{script}"]
    whole = os.environ | _THREADS | environment
    whole |= {"KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": os.fspath(ROOT)}
    started = [
        subprocess.Popen(
            [*command, os.fspath(file), str(i), *arguments],
            cwd=ROOT,
            env=whole,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i, file in enumerate(files)
    ]
    _wait(started)
    found = [pickle.loads(file.read_bytes()) for file in files]
    return found if processes > 1 else found[0]


def _wait(started: list[subprocess.Popen[str]]) -> None:
    try:
        said = [process.communicate(timeout=SECONDS)[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    failed = [text for process, text in zip(started, said, strict=True) if process.returncode]
    assert not failed, "\n".join(failed)[-8000:]
