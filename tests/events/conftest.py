from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from keras_l4.records.block import StepBlock, Variable

VARIABLES = (
    Variable("mlp/dense/kernel", "mlp/dense", (3, 4), "float32"),
    Variable("mlp/dense/bias", "mlp/dense", (4,), "float32"),
    Variable("mlp/out/kernel", "mlp/out", (4, 2), "bfloat16"),
)
POOLS = {
    "gradient_norm": "norm",
    "effective_learning_rate": "mean_by_size",
    "effective_learning_rate_p50": "maximum",
    "weight_norm": "norm",
    "nan_count": "count",
    "inf_count": "count",
}


def _make_block(
    first_step: int = 1,
    num_steps: int = 4,
    *,
    iterations: Sequence[int] | None = None,
    variables: tuple[Variable, ...] = VARIABLES,
    sample_every: int = 3,
    skipped: Sequence[int] = (),
    counts: dict[tuple[int, int], tuple[int, int]] | None = None,
    seed: int = 0,
) -> StepBlock:
    """`counts`: (step, variable) to (number of NaN, number of Inf)."""
    rng = np.random.default_rng([seed, first_step])
    steps = np.arange(first_step, first_step + num_steps)
    sampled = steps % sample_every == 0

    def floats(num_rows: int, num_columns: int = len(variables)) -> np.ndarray:
        return rng.random((num_rows, num_columns), np.float32)

    nan_count, inf_count = np.zeros((2, num_steps, len(variables)), np.int32)
    for (step, column), numbers in (counts or {}).items():
        nan_count[step - first_step, column], inf_count[step - first_step, column] = numbers
    num_layers = len({variable.layer for variable in variables})
    return StepBlock(
        optimizer="adam",
        variables=variables,
        steps=steps,
        iterations=steps - 1 if iterations is None else np.asarray(iterations),
        epochs=(steps - 1) // 10,
        batches=(steps - 1) % 10,
        learning_rate=np.full(num_steps, 1e-3),
        loss_scale=np.ones(num_steps),
        skipped=np.isin(steps, skipped),
        held=np.zeros(len(steps), bool),
        loss=np.where(steps % 2 == 0, rng.random(num_steps), np.nan),
        sampled=sampled,
        values={
            "gradient_norm": floats(num_steps),
            "effective_learning_rate": floats(num_steps),
            "effective_learning_rate_p50": floats(sampled.sum()),
            "weight_norm": floats(sampled.sum()),
            "nan_count": nan_count,
            "inf_count": inf_count,
        },
        layer_values={"effective_learning_rate_p50": floats(sampled.sum(), num_layers)},
        pools=POOLS,
        sampled_quantities=frozenset({"effective_learning_rate_p50", "weight_norm"}),
    )


@pytest.fixture(scope="session")
def make_block() -> Callable[..., StepBlock]:
    return _make_block


def _assert_equal(actual: StepBlock, expected: StepBlock) -> None:
    for name in ("optimizer", "variables", "pools", "sampled_quantities"):
        assert getattr(actual, name) == getattr(expected, name), name
    for name in (
        *("steps", "iterations", "epochs", "batches", "learning_rate"),
        *("loss_scale", "skipped", "loss", "sampled"),
    ):
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), name)
    for name in ("values", "layer_values"):
        assert getattr(actual, name).keys() == getattr(expected, name).keys()
        for quantity, values in getattr(expected, name).items():
            np.testing.assert_array_equal(getattr(actual, name)[quantity], values, quantity)
            assert getattr(actual, name)[quantity].dtype == values.dtype


@pytest.fixture(scope="session")
def assert_equal() -> Callable[[StepBlock, StepBlock], None]:
    return _assert_equal
