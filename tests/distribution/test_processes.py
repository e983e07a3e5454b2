"""Two processes on loopback: record as one does, speak and write as one does, end together."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_l4
from tests.distribution.scripts import run
from tests.distribution.trained import STEPS, Found, assert_same_record, compiled, dense, find, rows
from tests.training import event_files, same

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="keras.distribution is for JAX"
)


def test_two_processes(tmp_path: Path, subtests: pytest.Subtests) -> None:
    first, second = run(
        "processes", tmp_path, _free_address(), str(tmp_path), processes=2, JAX_PLATFORMS="cpu"
    )
    model = compiled(
        dense, lambda: keras.optimizers.Adam(0.01), contextlib.nullcontext(), loss="mse"
    )
    alone = find(model, rows(), epochs=2)

    for kind in first:
        ours = [process[kind]["ours"] for process in (first, second)]
        with subtests.test("weights are those of stock Keras", kind=kind):
            for process in (first, second):
                assert same(process[kind]["ours"].weights, process[kind]["stock"].weights)
        with subtests.test("the record is that of one process", kind=kind):
            assert_same_record(Found([], ours[0].record, ""), alone)
        with subtests.test("both have the same logs", kind=kind):
            assert ours[0].logs == ours[1].logs
            assert np.isfinite(ours[0].logs["gradient_norm"]).all()
        with subtests.test("only the first runs hooks", kind=kind):
            assert ours[1].record is None
        with subtests.test("only the first writes", kind=kind):
            assert len(event_files(tmp_path / kind)) == 1
            assert keras_l4.load(tmp_path / kind).steps.tolist() == list(range(1, 2 * STEPS + 1))

    for kind, action in (("DataParallel", "stop"), ("ModelParallel", "raise")):
        with subtests.test("both end after the same batch", action=action):
            assert [process[kind][action].num_batches for process in (first, second)] == [STEPS] * 2
        with subtests.test("an error is raised in both", action=action):
            raised = [bool(process[kind][action].error) for process in (first, second)]
            assert raised == [action == "raise"] * 2
    with subtests.test("only the first prints"):
        assert "NaN" in first["DataParallel"]["stop"].printed
        assert not second["DataParallel"]["stop"].printed


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
