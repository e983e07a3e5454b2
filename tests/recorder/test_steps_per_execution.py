from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_l4.records.nonfinite import nonfinite_events
from tests.recorder.harness import prescribed_model, train

PER_EPOCH, PER_EXECUTION = 80, 32
PLANTED = 44
COMPILED = {"tensorflow": [False, True], "jax": [True], "torch": []}[keras.backend.backend()]

pytestmark = pytest.mark.skipif(not COMPILED, reason="torch has one step per execution")


@pytest.mark.parametrize("xla", COMPILED or [True], ids=lambda xla: f"xla={xla}")
@pytest.mark.parametrize("every", [5, 100])
def test_nan_in_the_middle_of_an_execution_has_its_own_step(xla: bool, every: int) -> None:
    gradients = np.random.default_rng(0).standard_normal((PER_EPOCH, 9)).astype("float32")
    gradients[PLANTED, [7, 8]] = np.nan, np.inf
    model = prescribed_model(
        keras.optimizers.SGD(0.1),
        {"a": [(2, 3), (3,)]},
        steps_per_execution=PER_EXECUTION,
        jit_compile=xla,
    )
    block = train(model, [gradients], every=every, epochs=2)

    assert block.steps.tolist() == list(range(1, 2 * PER_EPOCH + 1))
    assert block.batches.tolist() == 2 * list(range(PER_EPOCH))
    assert block.epochs.tolist() == [0] * PER_EPOCH + [1] * PER_EPOCH
    want = np.linalg.norm(gradients[:, :6].astype(float), axis=1)
    np.testing.assert_allclose(block.values["gradient_norm"][:, 0], np.tile(want, 2), rtol=1e-5)
    found = [
        (e.step, e.epoch, e.batch, e.variable, e.num_nan, e.num_inf)
        for e in nonfinite_events(block)
    ]
    assert found == [
        (PLANTED + 1, 0, PLANTED, "a/w1", 1, 1),
        (PLANTED + 1 + PER_EPOCH, 1, PLANTED, "a/w1", 1, 1),
    ]
    due = set(range(0, 2 * PER_EPOCH, every)) | {PLANTED, PLANTED + PER_EPOCH}
    assert set(np.flatnonzero(block.sampled)) == due
