"""Runs the scripts of this folder in processes of their own, and loads their results."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 240
# Collective operations wait for each other, each in a thread of its own.
_THREADS = dict.fromkeys(("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"), "4")


def run(script: str, folder: Path, *arguments: str, processes: int = 1, **environment: str) -> Any:
    """Runs `script` in `processes` processes, and returns the object that each of them pickled.

    Args:
        script: Name of a module of this folder. Its arguments are the file for its result, the index
            of the process, and `arguments`.
        folder: Folder for the results.
        arguments: Further arguments.
        processes: Number of processes. With more than one, the results are a list.
        environment: Environment variables.

    Raises:
        AssertionError: A process failed.
        subprocess.TimeoutExpired: A process took too long. All of them are killed.
    """
    files = [folder / f"{script}-{i}" for i in range(processes)]
    command = [sys.executable, "-m", f"tests.distribution.{script}"]
    variables = os.environ | _THREADS | environment
    variables |= {"KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": os.fspath(ROOT)}
    running = [
        subprocess.Popen(
            [*command, os.fspath(file), str(i), *arguments],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i, file in enumerate(files)
    ]
    _wait(running)
    results = [pickle.loads(file.read_bytes()) for file in files]
    return results if processes > 1 else results[0]


def _wait(running: list[subprocess.Popen[str]]) -> None:
    try:
        outputs = [process.communicate(timeout=TIMEOUT_SECONDS)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    failures = [text for process, text in zip(running, outputs, strict=True) if process.returncode]
    assert not failures, "\n".join(failures)[-8000:]
