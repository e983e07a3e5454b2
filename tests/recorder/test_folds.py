"""Norms, means, counts and extremes of many tensors at once, beside NumPy's of each alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import safe_norms

TORCH = keras.backend.backend() == "torch"
FOLDS = ("count", "magnitude", "maximum", "minimum")
# Some of one size and shape, some of one size only, some alone, large and empty ones between them.
SHAPES = [(3, 4), (12,), (5,), (3, 4), (0,), (2, 6), (5,), (200, 100), (1,), (0,), (200, 100)]
DTYPES = ["float32", "float32", "float16", "float32", "float32", "float16", "float32"]


@pytest.fixture
def arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    kinds = zip(SHAPES, [*DTYPES, *DTYPES], strict=False)
    return [rng.normal(size=shape).astype(dtype) for shape, dtype in kinds]


def _numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _each(arrays: list[np.ndarray], number: Any) -> list[float]:
    return [float(number(a.astype(np.float64))) if a.size else 0.0 for a in arrays]


def test_norms_and_means(arrays: list[np.ndarray]) -> None:
    tensors = [ops.convert_to_tensor(a, a.dtype.name) for a in arrays]
    norms, means = safe_norms(tensors), backend.reductions.means(tensors)
    np.testing.assert_allclose(_numpy(norms), _each(arrays, np.linalg.norm), rtol=1e-6)
    np.testing.assert_allclose(_numpy(means), _each(arrays, np.mean), rtol=1e-4, atol=1e-7)


def test_counts_and_extremes(arrays: list[np.ndarray]) -> None:
    arrays[3][1, 1] = np.nan
    tensors = [ops.convert_to_tensor(a, a.dtype.name) for a in arrays]
    folded = backend.reductions.reduce_elements(tensors, lambda x: [x > 0.5, x, x, x], FOLDS)
    numbers = [lambda a: np.sum(a > 0.5), lambda a: np.max(np.abs(a)), np.max, np.min]
    for fold, found, number in zip(FOLDS, folded, numbers, strict=True):
        wanted = np.array(_each(arrays, number))
        # A maximum may pass by a NaN; who asks for it looks at the mean, too.
        told = slice(None) if fold in ("count", "magnitude") else ~np.isnan(wanted)
        np.testing.assert_array_equal(_numpy(found)[told], wanted[told], fold)


def test_arrays_of_all_sizes_and_more_than_are_copied_at_once() -> None:
    rng = np.random.default_rng(0)
    # More than a pack holds, of sizes that JAX packs and of those that TensorFlow does; torch
    # stacks eight, and has one left.
    many = [2**14 - 1] * 73 + [2**17 - 1] * 9
    sizes = [1, 2, 31, 32, 33, 640, 4095, 4097, *many, 2**14, 2**14 + 1, 2**17, 2**17 + 1, 1, 100]
    # Numbers that the zeros with which a row is filled up would change, if they were counted.
    arrays = [rng.uniform(1, 2, n).astype("float32") for n in sizes]
    arrays[2] *= -1
    tensors = [ops.convert_to_tensor(a) for a in arrays]
    count, largest, high, low = backend.reductions.reduce_elements(
        tensors, lambda x: [x < 0.5, x, x, x], FOLDS
    )
    np.testing.assert_array_equal(_numpy(count), [np.sum(a < 0.5) for a in arrays])
    np.testing.assert_array_equal(_numpy(largest), [np.max(np.abs(a)) for a in arrays])
    np.testing.assert_array_equal(_numpy(high), [np.max(a) for a in arrays])
    np.testing.assert_array_equal(_numpy(low), [np.min(a) for a in arrays])
    norms, means = safe_norms(tensors), backend.reductions.means(tensors)
    np.testing.assert_allclose(_numpy(norms), _each(arrays, np.linalg.norm), rtol=2e-6)
    np.testing.assert_allclose(_numpy(means), _each(arrays, np.mean), rtol=2e-6)


@pytest.mark.parametrize("sizes", [(3,), (3, 40)], ids=["alone", "packed"])
def test_extremes_of_infinities(sizes: tuple[int, ...]) -> None:
    tensors = [ops.full((n,), np.inf) for n in sizes]
    low, high = backend.reductions.reduce_elements(
        tensors, lambda x: [x, -x], ["minimum", "maximum"]
    )
    np.testing.assert_array_equal(_numpy(low), np.inf)
    np.testing.assert_array_equal(_numpy(high), -np.inf)


@pytest.mark.parametrize("sizes", [(3,), (3, 40)], ids=["alone", "packed"])
def test_extremes_of_integers(sizes: tuple[int, ...]) -> None:
    tensors = [ops.arange(1, n + 1, dtype="float32") for n in sizes]
    low, high = backend.reductions.reduce_elements(
        tensors, lambda x: [ops.cast(x, "int32")] * 2, ["minimum", "maximum"]
    )
    np.testing.assert_array_equal(_numpy(low), 1)
    np.testing.assert_array_equal(_numpy(high), sizes)


def test_of_nothing_nothing_is_counted() -> None:
    tensors = [ops.zeros((0,)), ops.zeros((2, 0)), ops.zeros((3,))]
    [count] = backend.reductions.reduce_elements(tensors, lambda x: [x < 1], ["count"])
    np.testing.assert_array_equal(_numpy(count), [0, 0, 3])


def test_means_beside_which_the_sum_is_too_large() -> None:
    tensors = [np.full(10_000, 1e35), np.ones(3, "float32")]
    if keras.backend.backend() == "jax":
        import jax

        with jax.enable_x64(True):
            means = _numpy(backend.reductions.means([*map(jax.numpy.asarray, tensors)]))
    else:
        means = _numpy(
            backend.reductions.means([ops.convert_to_tensor(x, x.dtype.name) for x in tensors])
        )
    np.testing.assert_allclose(means, [1e35, 1], rtol=1e-6)


def test_each_array_with_its_own_number() -> None:
    # Two pairs of one size, apart, which torch stacks.
    sizes = [5, 1, 300, 5, 2**17 + 1, 40, 300]
    tensors = [ops.full((n,), i + 1.0) for i, n in enumerate(sizes)]
    own = ops.convert_to_tensor(10.0 ** np.arange(len(sizes), dtype="float32"))
    [sums] = backend.reductions.reduce_elements(
        tensors, lambda x, number: [x * number], ["sum"], own
    )
    wanted = [n * (i + 1) * 10**i for i, n in enumerate(sizes)]
    np.testing.assert_allclose(_numpy(sums), wanted, rtol=2e-6)


def test_of_no_tensors_and_of_nothing() -> None:
    tensors = [ops.convert_to_tensor(np.ones(3, "float32"))]
    assert not backend.reductions.reduce_elements(tensors, lambda x: [], [])
    assert not backend.reductions.reduce_elements([], lambda x: [x], [])
    assert not backend.reductions.reduce_elements([], lambda x: [x], ["sum"])


@pytest.mark.skipif(not TORCH, reason="the other backends place tensors themselves")
def test_a_row_is_where_its_parts_are() -> None:
    # A device that has no numbers stands in for one that this machine does not have.
    with keras.device("meta"):
        variable = keras.Variable(0.5, dtype="float32")
        parts = [2, variable, True, ops.ones((2,))]
    assert backend.ring_buffer.concat_flat(parts, "float32").device.type == "meta"
    assert backend.ring_buffer.concat_flat([1.0, variable], "float32").device.type == "meta"
    # What is known on the host alone, such as the learning rate of a callable, is made there.
    of_host = backend.ring_buffer.concat_flat([0.1, 1.0], "float32")
    assert backend.ring_buffer.concat_flat([variable, of_host], "float32").device.type == "meta"


@pytest.mark.skipif(not TORCH, reason="the other backends count on the device")
def test_the_host_counts_without_the_device() -> None:
    with keras.device("meta"):
        counters = backend.ring_buffer.new_counters("counters", 3, keras.Variable(0.5))
    backend.ring_buffer.increment_counters(
        counters, backend.ring_buffer.read_counters(counters), [1, True, False]
    )
    assert backend.ring_buffer.read_counters(counters) == [1, 1, 0]
