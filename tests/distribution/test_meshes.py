"""`DataParallel` and `ModelParallel` on two devices: train as without us, record as on one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import keras
import pytest

from tests.distribution.scripts import run
from tests.distribution.trained import (
    FEATURES,
    HIDDEN,
    UNITS,
    assert_same_record,
    assert_same_weights,
)

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="meshes are JAX's")
TWO_DEVICES = "--xla_force_host_platform_device_count=2"
# By how many collectives a step may grow: each step, and one that takes all branches.
ADDED = {"DataParallel": (0, 0), "ModelParallel": (1, 20)}


def test_two_devices(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, case in run("meshes", tmp_path, XLA_FLAGS=TWO_DEVICES, JAX_PLATFORMS="cpu").items():
        ours, stock = case["ours"], case["stock"]
        with subtests.test("weights are those of stock Keras", case=name):
            assert_same_weights(ours, stock)
        with subtests.test("the optimizer is given back", case=name):
            assert ours.optimizer == stock.optimizer
        with subtests.test("the record is that of one device", case=name):
            assert_same_record(ours, case["alone"])

        ours, stock = case["collectives"]["ours"], case["collectives"]["stock"]
        with subtests.test("few collectives are added to a step", case=name):
            every_step, anywhere = ADDED[name.partition(",")[0]]
            assert ours.every_step - stock.every_step <= every_step
            assert ours.anywhere - stock.anywhere <= anywhere
        with subtests.test("no matrix is put together on a device", case=name):
            added = Counter(ours.moved) - Counter(stock.moved)
            assert max(added, default=0) < min(FEATURES, UNITS) * HIDDEN
