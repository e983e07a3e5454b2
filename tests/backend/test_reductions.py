"""Reductions of many tensors at once equal those of NumPy, tensor by tensor."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import safe_norms

REDUCTIONS = ("count", "max_abs", "maximum", "minimum")
# Some share size and shape, some the size only, some neither; large and empty ones between them.
SHAPES = [(3, 4), (12,), (5,), (3, 4), (0,), (2, 6), (5,), (200, 100), (1,), (0,), (200, 100)]
DTYPES = ["float32", "float32", "float16", "float32", "float32", "float16", "float32"]


@pytest.fixture
def arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    kinds = zip(SHAPES, [*DTYPES, *DTYPES], strict=False)
    return [rng.normal(size=shape).astype(dtype) for shape, dtype in kinds]


def to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def for_each(arrays: list[np.ndarray], function: Any) -> list[float]:
    return [float(function(a.astype(np.float64))) if a.size else 0.0 for a in arrays]


def test_norms_and_means_match_numpy(arrays: list[np.ndarray]) -> None:
    tensors = [ops.convert_to_tensor(a, a.dtype.name) for a in arrays]
    norms, means = safe_norms(tensors), backend.reductions.means(tensors)
    np.testing.assert_allclose(to_numpy(norms), for_each(arrays, np.linalg.norm), rtol=1e-6)
    np.testing.assert_allclose(to_numpy(means), for_each(arrays, np.mean), rtol=1e-4, atol=1e-7)


def test_counts_and_extremes_match_numpy(arrays: list[np.ndarray]) -> None:
    arrays[3][1, 1] = np.nan
    tensors = [ops.convert_to_tensor(a, a.dtype.name) for a in arrays]
    columns = backend.reductions.reduce_elements(tensors, lambda x: [x > 0.5, x, x, x], REDUCTIONS)
    references = [lambda a: np.sum(a > 0.5), lambda a: np.max(np.abs(a)), np.max, np.min]
    for reduction, column, reference in zip(REDUCTIONS, columns, references, strict=True):
        expected = np.array(for_each(arrays, reference))
        # `"maximum"` and `"minimum"` may ignore NaN: `means` reports it.
        is_defined = slice(None) if reduction in ("count", "max_abs") else ~np.isnan(expected)
        np.testing.assert_array_equal(to_numpy(column)[is_defined], expected[is_defined], reduction)


def test_tensors_of_all_sizes_in_several_packs_match_numpy() -> None:
    rng = np.random.default_rng(0)
    # More than fit into a pack, of sizes that JAX packs and of sizes that TensorFlow packs. torch
    # stacks eight of the latter, and one remains.
    many = [2**14 - 1] * 73 + [2**17 - 1] * 9
    sizes = [1, 2, 31, 32, 33, 640, 4095, 4097, *many, 2**14, 2**14 + 1, 2**17, 2**17 + 1, 1, 100]
    # All results would change if the zeros that pad the rows of a pack were counted.
    arrays = [rng.uniform(1, 2, n).astype("float32") for n in sizes]
    arrays[2] *= -1
    tensors = [ops.convert_to_tensor(a) for a in arrays]
    count, largest, high, low = backend.reductions.reduce_elements(
        tensors, lambda x: [x < 0.5, x, x, x], REDUCTIONS
    )
    np.testing.assert_array_equal(to_numpy(count), [np.sum(a < 0.5) for a in arrays])
    np.testing.assert_array_equal(to_numpy(largest), [np.max(np.abs(a)) for a in arrays])
    np.testing.assert_array_equal(to_numpy(high), [np.max(a) for a in arrays])
    np.testing.assert_array_equal(to_numpy(low), [np.min(a) for a in arrays])
    norms, means = safe_norms(tensors), backend.reductions.means(tensors)
    np.testing.assert_allclose(to_numpy(norms), for_each(arrays, np.linalg.norm), rtol=2e-6)
    np.testing.assert_allclose(to_numpy(means), for_each(arrays, np.mean), rtol=2e-6)


@pytest.mark.parametrize("sizes", [(3,), (3, 40)], ids=["alone", "packed"])
def test_extremes_of_infinite_elements_are_infinite(sizes: tuple[int, ...]) -> None:
    tensors = [ops.full((n,), np.inf) for n in sizes]
    low, high = backend.reductions.reduce_elements(
        tensors, lambda x: [x, -x], ["minimum", "maximum"]
    )
    np.testing.assert_array_equal(to_numpy(low), np.inf)
    np.testing.assert_array_equal(to_numpy(high), -np.inf)


@pytest.mark.parametrize("sizes", [(3,), (3, 40)], ids=["alone", "packed"])
def test_extremes_of_integer_elements_ignore_padding(sizes: tuple[int, ...]) -> None:
    tensors = [ops.arange(1, n + 1, dtype="float32") for n in sizes]
    low, high = backend.reductions.reduce_elements(
        tensors, lambda x: [ops.cast(x, "int32")] * 2, ["minimum", "maximum"]
    )
    np.testing.assert_array_equal(to_numpy(low), 1)
    np.testing.assert_array_equal(to_numpy(high), sizes)


def test_count_of_an_empty_tensor_is_zero() -> None:
    tensors = [ops.zeros((0,)), ops.zeros((2, 0)), ops.zeros((3,))]
    [count] = backend.reductions.reduce_elements(tensors, lambda x: [x < 1], ["count"])
    np.testing.assert_array_equal(to_numpy(count), [0, 0, 3])


def test_mean_is_finite_if_the_sum_overflows_float32() -> None:
    tensors = [np.full(10_000, 1e35), np.ones(3, "float32")]
    if keras.backend.backend() == "jax":
        import jax

        with jax.enable_x64(True):
            means = to_numpy(backend.reductions.means([*map(jax.numpy.asarray, tensors)]))
    else:
        means = to_numpy(
            backend.reductions.means([ops.convert_to_tensor(x, x.dtype.name) for x in tensors])
        )
    np.testing.assert_allclose(means, [1e35, 1], rtol=1e-6)


def test_each_tensor_gets_its_own_element_of_a_vector() -> None:
    # Two pairs of equal size, not adjacent, which torch stacks.
    sizes = [5, 1, 300, 5, 2**17 + 1, 40, 300]
    tensors = [ops.full((n,), i + 1.0) for i, n in enumerate(sizes)]
    factors = ops.convert_to_tensor(10.0 ** np.arange(len(sizes), dtype="float32"))
    [sums] = backend.reductions.reduce_elements(
        tensors, lambda x, factor: [x * factor], ["sum"], factors
    )
    expected = [n * (i + 1) * 10**i for i, n in enumerate(sizes)]
    np.testing.assert_allclose(to_numpy(sums), expected, rtol=2e-6)


def test_no_tensors_or_no_reductions_give_an_empty_list() -> None:
    tensors = [ops.convert_to_tensor(np.ones(3, "float32"))]
    assert not backend.reductions.reduce_elements(tensors, lambda x: [], [])
    assert not backend.reductions.reduce_elements([], lambda x: [x], [])
    assert not backend.reductions.reduce_elements([], lambda x: [x], ["sum"])
