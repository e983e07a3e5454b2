"""Two processes on loopback: they record, print and write like one, and stop together."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_l4
from tests.distribution.scripts import run
from tests.distribution.trained import (
    STEPS,
    TrainingResult,
    assert_same_record,
    build_compiled,
    dense_model,
    rows,
    train_and_collect,
)
from tests.training import event_files, same

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="only JAX supports several processes"
)


def test_recording_in_two_processes(tmp_path: Path, subtests: pytest.Subtests) -> None:
    first, second = run(
        "processes", tmp_path, _free_address(), str(tmp_path), processes=2, JAX_PLATFORMS="cpu"
    )
    model = build_compiled(
        dense_model, lambda: keras.optimizers.Adam(0.01), contextlib.nullcontext(), loss="mse"
    )
    reference = train_and_collect(model, rows(), epochs=2)

    for kind in first:
        recorded = [process[kind]["recorded"] for process in (first, second)]
        with subtests.test("weights are those of stock Keras", kind=kind):
            for process in (first, second):
                assert same(process[kind]["recorded"].weights, process[kind]["stock"].weights)
        with subtests.test("the record is that of one process", kind=kind):
            assert_same_record(TrainingResult([], recorded[0].record, ""), reference)
        with subtests.test("both processes have the same logs", kind=kind):
            assert recorded[0].logs == recorded[1].logs
            assert np.isfinite(recorded[0].logs["gradient_norm"]).all()
        with subtests.test("only the first process runs hooks", kind=kind):
            assert recorded[1].record is None
        with subtests.test("only the first process writes", kind=kind):
            assert len(event_files(tmp_path / kind)) == 1
            assert keras_l4.load(tmp_path / kind).steps.tolist() == list(range(1, 2 * STEPS + 1))

    for kind, on_nonfinite in (("DataParallel", "stop"), ("ModelParallel", "raise")):
        with subtests.test("both processes stop after the same batch", on_nonfinite=on_nonfinite):
            assert [process[kind][on_nonfinite].num_batches for process in (first, second)] == [
                STEPS
            ] * 2
        with subtests.test("raise raises an error in both processes", on_nonfinite=on_nonfinite):
            raised = [bool(process[kind][on_nonfinite].error) for process in (first, second)]
            assert raised == [on_nonfinite == "raise"] * 2
    with subtests.test("only the first process prints"):
        assert "NaN" in first["DataParallel"]["stop"].printed
        assert not second["DataParallel"]["stop"].printed


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
