"""`tf.distribute.MirroredStrategy` on two devices: trains as without us, records as on one."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_l4.records.block import StepBlock
from tests.distribution.scripts import run
from tests.distribution.trained import (
    BATCH,
    CLIPNORM,
    EVERY,
    STEPS,
    assert_same_record,
    assert_same_weights,
    rows,
)
from tests.training import same

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow"
)
# Keras does something else there than on one device.
OF_THEIR_OWN = {"clipping", "not skipped"}
# All-reduces in what is traced (run, where it is eager: four micro-steps, two updates).
NUM_SUMS = {
    "plain": {"stock": 1, "ours": 1},
    "steps_per_execution": {"stock": 1, "ours": 1},
    "embedding": {"stock": 1, "ours": 1},
    "accumulation": {"stock": 2, "ours": 2 + 2 * 4},
    "clipping": {"stock": 1, "ours": 3},
    "loss scaling": {"stock": 1, "ours": 2},
    "not skipped": {"stock": 1, "ours": 2},
}


def test_two_replicas(tmp_path: Path, subtests: pytest.Subtests) -> None:
    found = run("mirrored", tmp_path)
    in_scope, held_back = found.pop("in scope"), found.pop("held back")

    for name, case in found.items():
        with subtests.test("weights are those of stock Keras", case=name):
            assert_same_weights(case["ours"], case["stock"])
        with subtests.test("the optimizer is given back", case=name):
            assert case["ours"].optimizer == case["stock"].optimizer
        if name not in OF_THEIR_OWN:
            with subtests.test("the record is that of one device", case=name):
                assert_same_record(case["ours"], case["alone"])
        with subtests.test("gradients are summed once, where they can be", case=name):
            assert case["num_sums"] == NUM_SUMS[name]

    with subtests.test("fit within the scope of the strategy"):
        assert_same_record(in_scope, found["plain"]["alone"])
    for how, weights in held_back.items():
        with subtests.test("an update is held back on both replicas", how=how):
            assert all(np.isfinite(x).all() for x in weights["stock"])
            assert same(weights["ours"], weights["stock"])
    with subtests.test("NaN on the second replica, in the middle of an execution"):
        _is_counted(found["steps_per_execution"]["ours"].record)
    with subtests.test("NaN on the first replica, for which loss scaling skips the step"):
        assert found["loss scaling"]["ours"].record.skipped.tolist() == [False, True, False, False]
    with subtests.test("NaN on the second replica, which the loss scaling of Keras does not see"):
        _is_counted(found["not skipped"]["ours"].record)
        assert not found["not skipped"]["ours"].record.skipped[1]
    with subtests.test("clipping"):
        _clips_per_replica(found["clipping"]["ours"].record)


def _is_counted(record: StepBlock) -> None:
    counts = record.values["nan_count"]
    assert not counts[0].any()
    assert counts[1].all()


def _clips_per_replica(record: StepBlock) -> None:
    """Keras clips the share of each replica in the gradient, and sums what is left."""
    batches = rows()[0].astype(np.float64).reshape(STEPS, 2, BATCH // 2, -1)
    shares = batches.mean(axis=2) / 2
    norms = np.linalg.norm(shares, axis=-1, keepdims=True)
    consumed = np.linalg.norm((shares * np.minimum(1, CLIPNORM / norms)).sum(axis=1), axis=-1)
    whole = np.linalg.norm(shares.sum(axis=1), axis=-1)

    np.testing.assert_allclose(record.values["gradient_norm"][:, 0], whole, rtol=1e-5)
    factors = record.values["clip_factor"][:, 0]
    np.testing.assert_allclose(factors, (consumed / whole)[::EVERY], rtol=1e-5)
