"""Compiled steps record the same numbers as eager steps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import optimizers

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.records.block import StepBlock
from tests.recorder.harness import concatenate_blocks
from tests.training import build, train

COMPILED = {
    "tensorflow": {"graph": {"jit_compile": False}, "xla": {"jit_compile": True}},
    "jax": {"jit": {"jit_compile": True}},
    # torch.compile takes a minute a model, and the optimizer is not in what it compiles.
    "torch": {},
}[keras.backend.backend()]
# The second moment of centered RMSprop is a difference, and may be negative.
OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01, rho=0.5, epsilon=0, centered=True),
}


def record(optimizer: Any, **compiled: Any) -> StepBlock:
    """Records a training whose first step is finite and whose other steps have NaN."""
    blocks: list[StepBlock] = []
    model = build(optimizer, **compiled)
    train(model, TrainingDiagnostics(every=1, hooks=[blocks.append], verbose=0), nan_at=1)
    return concatenate_blocks(blocks)


@pytest.mark.parametrize("mode", COMPILED)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_compiled_step_records_the_numbers_of_an_eager_step(name: str, mode: str) -> None:
    eager = record(OPTIMIZERS[name](), run_eagerly=True)
    compiled = record(OPTIMIZERS[name](), run_eagerly=False, **COMPILED[mode])

    assert eager.values["undefined_rate_count"][1:].all()
    for quantity, values in eager.values.items():
        np.testing.assert_allclose(
            compiled.values[quantity], values, rtol=1e-5, atol=1e-7, err_msg=quantity
        )
