"""`tf.distribute.MirroredStrategy`: weights of stock Keras, and the record of one device."""

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
    keras.backend.backend() != "tensorflow", reason="only TensorFlow has strategies"
)
# Keras itself trains differently there than on one device.
DIFFERENT_ON_ONE_DEVICE = {"clipping", "not skipped"}
# Number of all-reduces in a trace; for the eager "accumulation", in four micro-steps (two updates).
NUM_ALL_REDUCES = {
    "plain": {"stock": 1, "recorded": 1},
    "steps_per_execution": {"stock": 1, "recorded": 1},
    "embedding": {"stock": 1, "recorded": 1},
    "accumulation": {"stock": 2, "recorded": 2 + 2 * 4},
    "clipping": {"stock": 1, "recorded": 3},
    "loss scaling": {"stock": 1, "recorded": 2},
    "not skipped": {"stock": 1, "recorded": 2},
}


def test_recording_on_two_replicas(tmp_path: Path, subtests: pytest.Subtests) -> None:
    results = run("mirrored", tmp_path)
    in_scope, skipped = results.pop("in scope"), results.pop("skipped updates")

    for name, case in results.items():
        with subtests.test("weights are those of stock Keras", case=name):
            assert_same_weights(case["recorded"], case["stock"])
        with subtests.test("the optimizer is restored", case=name):
            assert case["recorded"].optimizer == case["stock"].optimizer
        if name not in DIFFERENT_ON_ONE_DEVICE:
            with subtests.test("the record is that of one device", case=name):
                assert_same_record(case["recorded"], case["on_one_device"])
        with subtests.test(
            "gradients are summed once if the optimizer can use the same sums", case=name
        ):
            assert case["num_all_reduces"] == NUM_ALL_REDUCES[name]

    with subtests.test("fit in the scope of the strategy gives the same record"):
        assert_same_record(in_scope, results["plain"]["on_one_device"])
    for how, weights in skipped.items():
        with subtests.test("both replicas skip the update", how=how):
            assert all(np.isfinite(x).all() for x in weights["stock"])
            assert same(weights["recorded"], weights["stock"])
    with subtests.test("NaN on the second replica within an execution is counted"):
        _assert_second_step_is_counted(results["steps_per_execution"]["recorded"].record)
    with subtests.test("loss scaling skips a step with NaN on the first replica"):
        assert results["loss scaling"]["recorded"].record.skipped.tolist() == [
            False,
            True,
            False,
            False,
        ]
    with subtests.test(
        "loss scaling does not skip a step with NaN on the second replica, which is counted"
    ):
        _assert_second_step_is_counted(results["not skipped"]["recorded"].record)
        assert not results["not skipped"]["recorded"].record.skipped[1]
    with subtests.test("clip factors are those of clipping on each replica"):
        _assert_clipped_per_replica(results["clipping"]["recorded"].record)


def _assert_second_step_is_counted(record: StepBlock) -> None:
    counts = record.values["nan_count"]
    assert not counts[0].any()
    assert counts[1].all()


def _assert_clipped_per_replica(record: StepBlock) -> None:
    """Keras clips each replica's part of the gradient before it sums the parts."""
    batches = rows()[0].astype(np.float64).reshape(STEPS, 2, BATCH // 2, -1)
    parts = batches.mean(axis=2) / 2
    norms = np.linalg.norm(parts, axis=-1, keepdims=True)
    clipped_norms = np.linalg.norm((parts * np.minimum(1, CLIPNORM / norms)).sum(axis=1), axis=-1)
    gradient_norms = np.linalg.norm(parts.sum(axis=1), axis=-1)

    np.testing.assert_allclose(record.values["gradient_norm"][:, 0], gradient_norms, rtol=1e-5)
    factors = record.values["clip_factor"][:, 0]
    np.testing.assert_allclose(factors, (clipped_norms / gradient_norms)[::EVERY], rtol=1e-5)
