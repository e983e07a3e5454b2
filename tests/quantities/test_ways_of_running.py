"""However a step is compiled, its record is that of a step that is run operation by operation."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import optimizers

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.records.block import StepBlock
from tests.recorder.recorded import joined
from tests.training import build, train

COMPILED = {
    "tensorflow": {"graph": {"jit_compile": False}, "xla": {"jit_compile": True}},
    "jax": {"jit": {"jit_compile": True}},
    # torch.compile takes a minute a model, and the optimizer is not in what it compiles.
    "torch": {},
}[keras.backend.backend()]
# The second moment of the latter is a difference, and may be negative.
OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01, rho=0.5, epsilon=0, centered=True),
}


def record(optimizer: Any, **compiled: Any) -> StepBlock:
    """Of steps of which the first is healthy, the others have NaN."""
    blocks: list[StepBlock] = []
    model = build(optimizer, **compiled)
    train(model, TrainingDiagnostics(every=1, hooks=[blocks.append], verbose=0), nan_at=1)
    return joined(blocks)


@pytest.mark.parametrize("way", COMPILED)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_numbers_are_those_of_an_eager_step(name: str, way: str) -> None:
    eager = record(OPTIMIZERS[name](), run_eagerly=True)
    found = record(OPTIMIZERS[name](), run_eagerly=False, **COMPILED[way])

    assert eager.values["undefined_rate_count"][1:].all()
    for quantity, values in eager.values.items():
        np.testing.assert_allclose(
            found.values[quantity], values, rtol=1e-5, atol=1e-7, err_msg=quantity
        )
