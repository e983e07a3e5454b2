"""Quantities of prescribed gradients, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hypothesis
import keras
import ml_dtypes
import numpy as np
import pytest
from hypothesis import strategies as st

from tests.recorder.harness import RecordedOptimizer

SHAPES = [(2, 3), (5,), (), (0, 4)]
COUNTS = ("nan_count", "inf_count")


def elements() -> st.SearchStrategy[np.float32]:
    """Draws float32 by their bits: NaN, Inf, zero and subnormal numbers as often as normal ones."""
    exponents = st.sampled_from([0, 0, 0, 1, 127, 254, 255, 255])
    fractions = st.sampled_from([0, 0, 1, 2**22, 2**23 - 1])
    bits = st.builds(lambda s, e, f: s << 31 | e << 23 | f, st.integers(0, 1), exponents, fractions)
    return bits.map(lambda b: np.uint32(b).view(np.float32))


def gradients() -> st.SearchStrategy[list[np.ndarray]]:
    def of(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
        n = int(np.prod(shape))
        lists = st.lists(elements(), min_size=n, max_size=n)
        return lists.map(lambda x: np.array(x, np.float32).reshape(shape))

    return st.tuples(*map(of, SHAPES)).map(list)


def variables(dtype: str, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[keras.Variable]:
    return [keras.Variable(np.ones(shape), dtype=dtype, name="w") for shape in shapes]


@pytest.fixture(scope="module")
def recorded() -> RecordedOptimizer:
    return RecordedOptimizer(keras.optimizers.SGD(0.0), variables("float32"))


def fraction(mask: np.ndarray) -> float:
    return mask.sum() / max(1, mask.size)


@hypothesis.settings(max_examples=10)
@hypothesis.given(steps=st.lists(gradients(), min_size=6, max_size=6))
def test_elements_are_classified_by_their_bits(
    recorded: RecordedOptimizer, steps: list[list[np.ndarray]]
) -> None:
    block = recorded.run(steps)
    magnitudes = [[np.abs(g) for g in step] for step in steps]
    definitions = {
        "nan_count": lambda g: np.isnan(g).sum(),
        "inf_count": lambda g: np.isinf(g).sum(),
        "zero_fraction": lambda g: fraction(g == 0),
        "subnormal_fraction": lambda g: fraction((g > 0) & (g < np.finfo(np.float32).tiny)),
        "gradient_max_abs": lambda g: g.max(initial=0),
    }
    for name, definition in definitions.items():
        want = [[definition(g) for g in step] for step in magnitudes]
        got = block.values[name]
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=0, err_msg=name)
    assert block.values["nan_count"].dtype.kind == "i"


def test_norm_that_overflows_is_not_counted_as_inf(recorded: RecordedOptimizer) -> None:
    block = recorded.run([[np.full(shape, 3e38, np.float32) for shape in SHAPES]])
    assert block.values["gradient_norm"][0].tolist() == [np.inf, np.inf, np.float32(3e38), 0]
    for name in COUNTS:
        assert block.values[name][0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_variables_are_measured_in_their_dtype(dtype: Any) -> None:
    smallest = float(ml_dtypes.finfo(dtype).smallest_normal)
    special = [0, -smallest, smallest / 2, -smallest / 4, np.nan, -np.inf]
    normal = [0.5, -0.25, 0, 1, 2]
    gradients = [np.reshape(special, (2, 3)), normal, 60000.0, np.zeros((0, 4))]
    step = [np.array(g, dtype) for g in gradients]
    block = RecordedOptimizer(keras.optimizers.SGD(0.0), variables(dtype.__name__)).run([step])
    assert [v.dtype for v in block.variables] == [dtype.__name__] * 4
    assert block.values["nan_count"][0].tolist() == [1, 0, 0, 0]
    assert block.values["inf_count"][0].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(block.values["zero_fraction"][0], [1 / 6, 0.2, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(block.values["subnormal_fraction"][0], [1 / 3, 0, 0, 0], rtol=1e-6)
    want = [np.nan, np.linalg.norm(normal), float(step[2]), 0]
    np.testing.assert_allclose(block.values["gradient_norm"][0], want, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("optimizer", ["Adam", "Adagrad"])
def test_rates_of_half_precision_variables_are_computed_from_their_slots(
    optimizer: str, dtype: Any
) -> None:
    """The rates are the same whether every step is sampled or none is."""
    rng = np.random.default_rng(0)
    steps = [[(rng.standard_normal(6) / 8).astype(dtype)] for _ in range(12)]
    rates = []
    for every in (1, 1000):
        recorded_variables = variables(dtype.__name__, [(6,)])
        block = RecordedOptimizer(
            getattr(keras.optimizers, optimizer)(0.01), recorded_variables, every=every
        ).run(steps)
        rates.append(block.values["effective_learning_rate"])
    np.testing.assert_allclose(rates[1], rates[0], rtol=1e-5)


def test_epsilon_dominates_a_half_precision_second_moment_of_zero() -> None:
    zeros = [np.zeros(shape, np.float16) for shape in SHAPES[:3]]
    block = RecordedOptimizer(keras.optimizers.Adam(), variables("float16", SHAPES[:3])).run(
        [zeros]
    )
    assert block.values["epsilon_dominated_fraction"].tolist() == [[1, 1, 1]]


def test_float64_and_float32_variables_are_recorded_together(backend: str) -> None:
    if backend == "jax":
        pytest.skip("JAX has float64 only with jax_enable_x64, which is for a whole process")
    recorded_variables = [*variables("float64", [(2,)]), *variables("float32", [(2,)])]
    step = [np.array([3e-200, 4e200]), np.array([3, 4], np.float32)]
    small = [np.array([3e-30, 4e-30]), np.array([3, 4], np.float32)]
    block = RecordedOptimizer(keras.optimizers.Adam(0.1), recorded_variables).run([step, small])
    np.testing.assert_allclose(block.values["gradient_norm"], [[np.inf, 5], [5e-30, 5]], rtol=1e-5)
    assert not block.values["inf_count"].any()


def test_fraction_is_exact_if_few_elements_are_zero() -> None:
    gradient = np.ones(100_000, np.float32)
    gradient[7] = 0
    recorded_variables = variables("float32", [(100_000,)])
    block = RecordedOptimizer(keras.optimizers.SGD(0.0), recorded_variables).run([[gradient]])
    np.testing.assert_allclose(block.values["zero_fraction"], [[1e-5]], rtol=1e-5)


def test_rate_is_finite_if_the_squared_norm_overflows() -> None:
    steps = [[np.full((30, 30), 1e18, np.float32)]] * 3
    adam = keras.optimizers.Adam(1e18, beta_1=0.0)
    block = RecordedOptimizer(adam, variables("float32", [(30, 30)]), every=9).run(steps)
    np.testing.assert_allclose(block.values["effective_learning_rate"], 1, rtol=1e-5)
