"""`DataParallel` and `ModelParallel`: weights of stock Keras, and the record of one device."""

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

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX has meshes")
TWO_DEVICES = "--xla_force_host_platform_device_count=2"
# Collective operations that recording may add: outside of branches, and in total.
MAX_ADDED = {"DataParallel": (0, 0), "ModelParallel": (1, 20)}


def test_recording_on_two_devices(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, case in run("meshes", tmp_path, XLA_FLAGS=TWO_DEVICES, JAX_PLATFORMS="cpu").items():
        recorded, stock = case["recorded"], case["stock"]
        with subtests.test("weights are those of stock Keras", case=name):
            assert_same_weights(recorded, stock)
        with subtests.test("the optimizer is restored", case=name):
            assert recorded.optimizer == stock.optimizer
        with subtests.test("the record is that of one device", case=name):
            assert_same_record(recorded, case["on_one_device"])

        recorded, stock = case["collectives"]["recorded"], case["collectives"]["stock"]
        with subtests.test("few collective operations are added to a step", case=name):
            max_unconditional, max_total = MAX_ADDED[name.partition(",")[0]]
            assert recorded.num_unconditional - stock.num_unconditional <= max_unconditional
            assert recorded.num_total - stock.num_total <= max_total
        with subtests.test("no matrix is gathered on a device", case=name):
            added = Counter(recorded.moved_sizes) - Counter(stock.moved_sizes)
            assert max(added, default=0) < min(FEATURES, UNITS) * HIDDEN
