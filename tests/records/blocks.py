"""Blocks with random values, for tests of records and event files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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


def make_block(
    first_step: int = 1,
    num_steps: int = 4,
    *,
    iterations: Sequence[int] | None = None,
    variables: tuple[Variable, ...] = VARIABLES,
    sample_every: int = 3,
    skipped: Sequence[int] = (),
    skipped_by_guard: Sequence[int] = (),
    counts: dict[tuple[int, int], tuple[int, int]] | None = None,
    seed: int = 0,
) -> StepBlock:
    """Makes a block with random values.

    Args:
        skipped: Steps that loss scaling skipped.
        skipped_by_guard: Steps that the update guard skipped.
        counts: (step, variable) to (number of NaN, number of Inf).
    """
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
        skipped=np.isin(steps, [*skipped, *skipped_by_guard]),
        skipped_by_guard=np.isin(steps, skipped_by_guard),
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


def assert_equal(actual: StepBlock, expected: StepBlock) -> None:
    """Compares all fields, so that a new one cannot be lost in an event file unnoticed."""
    for field in dataclasses.fields(StepBlock):
        _assert_equal_values(getattr(actual, field.name), getattr(expected, field.name), field.name)


def _assert_equal_values(actual: Any, expected: Any, name: str) -> None:
    if isinstance(expected, Mapping):
        assert actual.keys() == expected.keys(), name
        for key, value in expected.items():
            _assert_equal_values(actual[key], value, f"{name}[{key!r}]")
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(actual, expected, name)
        assert actual.dtype == expected.dtype, name
    else:
        assert actual == expected, name
