"""`DataParallel` and `ModelParallel` on two devices: train as without us, record as on one."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from tests.distribution.scripts import run
from tests.distribution.trained import FEATURES, UNITS, assert_same_record, assert_same_weights

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="meshes are JAX's")
TWO_DEVICES = "--xla_force_host_platform_device_count=2"
SMALLEST_KERNEL = min(FEATURES, UNITS) * 8


def test_two_devices(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, case in run("meshes", tmp_path, XLA_FLAGS=TWO_DEVICES, JAX_PLATFORMS="cpu").items():
        with subtests.test("weights are those of stock Keras", case=name):
            assert_same_weights(case["ours"], case["stock"])
        with subtests.test("the optimizer is given back", case=name):
            assert case["ours"].optimizer == case["stock"].optimizer
        with subtests.test("the record is that of one device", case=name):
            assert_same_record(case["ours"], case["alone"])
        print(name, case["collectives"])
