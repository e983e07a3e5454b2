"""Norms and means are accurate for all magnitudes of float32 and for millions of elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies as st

from keras_l4 import backend as keras_l4_backend
from keras_l4.backend.common.safe_norms import safe_norms
from tests.quantities.numpy_reference import norm

LARGEST = float(np.finfo(np.float32).max)
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
SIZES = [1, 2, 17]
EXECUTION_MODES = {"tensorflow": ["eager", "graph", "xla"], "jax": ["jit"], "torch": ["eager"]}[
    keras.backend.backend()
]


@pytest.fixture(scope="module", params=EXECUTION_MODES)
def norms(request: pytest.FixtureRequest) -> Callable[..., np.ndarray]:
    """`safe_norms` of NumPy arrays, in each execution mode of the backend."""
    return on_arrays(compiled(safe_norms, request.param))


@pytest.fixture(scope="module", params=EXECUTION_MODES)
def means(request: pytest.FixtureRequest) -> Callable[..., np.ndarray]:
    """`backend.reductions.means` of NumPy arrays, in each execution mode of the backend."""
    return on_arrays(compiled(keras_l4_backend.reductions.means, request.param))


def on_arrays(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    tensor = keras.ops.convert_to_tensor
    return lambda *x: np.array(keras.ops.convert_to_numpy(function([tensor(a) for a in x])))


def compiled(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    if mode in ("graph", "xla"):
        import tensorflow as tf

        return tf.function(function, jit_compile=mode == "xla")
    if mode == "jit":
        import jax

        return jax.jit(function)
    return function


def floats(min_exponent: int, max_exponent: int) -> st.SearchStrategy[float]:
    """Draws floats of magnitudes from 10^min_exponent to 10^max_exponent, and zeros."""
    exponents, mantissas = st.integers(min_exponent, max_exponent), st.floats(1, 9.99)
    normal = st.builds(
        lambda m, e: np.clip(m * 10.0**e, SMALLEST_NORMAL, LARGEST), mantissas, exponents
    )
    signed = st.builds(lambda x, sign: x * sign, normal, st.sampled_from([-1, 1]))
    return st.one_of(signed, signed, signed, st.just(0.0))


def array(size: int) -> st.SearchStrategy[np.ndarray]:
    """Draws arrays whose magnitudes span anything from one decade to the range of float32."""
    bounds = st.tuples(st.integers(-38, 38), st.integers(-38, 38)).map(sorted)
    lists = bounds.flatmap(lambda b: st.lists(floats(*b), min_size=size, max_size=size))
    return lists.map(lambda x: np.array(x, np.float32))


def reference_norms(arrays: Sequence[np.ndarray]) -> list[float]:
    """Returns the norms computed in float64; Inf if they are beyond float32."""
    exact = [norm(x.astype(np.float64)) for x in arrays]
    hypothesis.assume(all(abs(x / LARGEST - 1) > 1e-6 for x in exact))
    return [x if x <= LARGEST else np.inf for x in exact]


@hypothesis.given(arrays=st.tuples(*map(array, SIZES)))
def test_norms_are_accurate_for_all_magnitudes_of_float32(
    norms: Callable[..., np.ndarray], arrays: Sequence[np.ndarray]
) -> None:
    np.testing.assert_allclose(norms(*arrays), reference_norms(arrays), rtol=1e-5)


@pytest.mark.parametrize("scale", [SMALLEST_NORMAL, 1e-30, 3e-20, 1e-19, 1, 1.8e19, 1e30, 3e38])
@pytest.mark.parametrize("size", [1, 1000])
def test_norms_are_accurate_if_squares_overflow_or_underflow(
    norms: Callable[..., np.ndarray], scale: float, size: int
) -> None:
    x = np.full(size, scale, np.float32)
    expected = scale * size**0.5 if scale * size**0.5 <= LARGEST else np.inf
    # By itself, and together with a tensor of its size, with which it may be packed or stacked.
    np.testing.assert_allclose(norms(x, np.ones(4, np.float32)), [expected, 2], rtol=1e-5)
    together = norms(x, np.ones(4, np.float32), np.ones(size, np.float32))
    np.testing.assert_allclose(together, [expected, 2, size**0.5], rtol=1e-5)


def test_nan_and_inf_elements_give_nan_and_inf_norms(norms: Callable[..., np.ndarray]) -> None:
    nan, inf = np.nan, np.inf
    rows = [[1, nan, 1e38], [inf, 1, 0], [-inf, 1, 0], [nan, inf, 1], [1e-40, nan, 0], [3, 0, 4]]
    result = norms(*np.array(rows, np.float32))
    np.testing.assert_array_equal(result, [nan, inf, inf, nan, nan, 5])


def test_norm_of_an_empty_tensor_is_zero(norms: Callable[..., np.ndarray]) -> None:
    empty, ten = np.zeros((0, 3), np.float32), np.float32(-1e-30)
    np.testing.assert_allclose(norms(empty, ten), [0, 1e-30], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_norms_of_half_precision_are_computed_in_float32(
    norms: Callable[..., np.ndarray], dtype: str
) -> None:
    x = np.array([3e4, 4e4, 6e-5] * 50, np.float32)
    narrow = keras.ops.cast(x, dtype)
    expected = norm(np.array(keras.ops.convert_to_numpy(keras.ops.cast(narrow, "float32"))))
    np.testing.assert_allclose(norms(narrow, np.float32([1e-30])), [expected, 1e-30], rtol=1e-5)


def test_norms_of_float64_are_rounded_to_float32(
    norms: Callable[..., np.ndarray], backend: str
) -> None:
    if backend == "jax":
        pytest.skip("JAX has float64 only with jax_enable_x64, which applies to the whole process")
    wide = [np.array([3, 4]) * scale for scale in (1.0, 1e-30, 1e-200, 1e30, 1e200)]
    expected = [5, 5e-30, 0, 5e30, np.inf, 1]
    np.testing.assert_allclose(norms(*wide, np.ones(1, np.float32)), expected, rtol=1e-5)


def large_arrays() -> list[np.ndarray]:
    """Returns arrays whose float32 sum loses digits, most of all if all elements are equal."""
    uniform = np.random.default_rng(0).uniform(0, 1, 1_000_003)
    equal = [np.full(n, 1.1, np.float32) for n in (2_000_003, 120_001)]
    return [*equal, uniform.astype("float32")]


def test_norms_of_millions_of_elements_are_accurate(norms: Callable[..., np.ndarray]) -> None:
    x = large_arrays()
    expected = [norm(a.astype(np.float64)) for a in x]
    np.testing.assert_allclose(norms(*x), expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_norms_of_millions_of_extreme_elements_are_accurate(
    norms: Callable[..., np.ndarray], scale: float
) -> None:
    x = [a * np.float32(scale) for a in large_arrays()]
    expected = [norm(a.astype(np.float64)) for a in x]
    np.testing.assert_allclose(norms(*x), expected, rtol=1e-5)


def test_means_of_millions_of_elements_are_accurate(means: Callable[..., np.ndarray]) -> None:
    x = large_arrays()
    expected = [a.astype(np.float64).mean() for a in x]
    np.testing.assert_allclose(means(*x), expected, rtol=1e-5)


def test_means_of_mixed_dtypes_and_of_an_empty_tensor(means: Callable[..., np.ndarray]) -> None:
    narrow = [keras.ops.cast(np.float32([1, 3]), dtype) for dtype in ("float16", "bfloat16")]
    empty = keras.ops.zeros((0, 2), "float16")
    result = means(*narrow, empty, np.float32([[2, 4]]), np.float64([4, 6]))
    np.testing.assert_array_equal(result, [2, 2, 0, 3, 5])
