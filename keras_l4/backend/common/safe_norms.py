"""Euclidean norms without intermediate over- or underflow.

A fast norm is computed first, and scaled norms only if one of the fast ones may be inaccurate.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.backend.interface import Tensor

# A finite norm is at most this. `norms < inf` would fail under `tf.debugging.enable_check_numerics`,
# which allows no infinite constant in a graph.
FLOAT32_MAX = np.finfo(np.float32).max
# A square below the smallest normal float32 may be flushed to zero. If the sum of squares is at
# least this much per element, the flushed squares are less than 1e-6 of it.
_MIN_MEAN_SQUARE = float(np.finfo(np.float32).tiny) * 1e6
# Scaling by 2¹⁰⁰ keeps squares in range: large values are divided by it, small values are multiplied
# by it. The reciprocal of the scale is a float32, too: XLA multiplies by it instead of dividing.
_SCALE = np.float32(2.0**100)
# A sparse gradient has an unknown number of rows: assume this many elements.
_ASSUMED_SPARSE_SIZE = 2**24


def safe_norms(tensors: Sequence[Tensor]) -> Tensor:
    """Returns Euclidean norms, `float32[len(tensors)]`.

    If the sum of squares of a tensor over- or underflows, its norm is s √Σ(x/s)², where s is a power
    of two, so that the division is exact. NaN and Inf elements give NaN and Inf; a norm beyond
    float32 gives Inf.
    """
    norms = backend.reductions.fast_norms(tensors)
    minima = backend.core.constant(_min_norms(tuple(tuple(x.shape) for x in tensors)), norms)
    # NaN compares False and triggers the second pass. This is unnecessary, but rare.
    is_accurate = (norms >= minima) & (norms <= FLOAT32_MAX)
    return backend.core.cond(
        backend.core.all_true(is_accurate),
        lambda: norms,
        lambda: backend.core.where(is_accurate, norms, _scaled_norms(tensors, norms)),
    )


def _scaled_norms(tensors: Sequence[Tensor], fast_norms: Tensor) -> Tensor:
    scales = backend.core.where(fast_norms > 1, _SCALE, 1 / _SCALE)
    [sums] = backend.reductions.reduce_elements(
        [backend.core.to_accumulation_dtype(x) for x in tensors],
        _scaled_squares,
        ["sum"],
        scales,
    )
    return scales * ops.cast(ops.sqrt(sums), "float32")


def _scaled_squares(x: Tensor, scale: Tensor) -> list[Tensor]:
    return [ops.square(x / ops.cast(scale, x.dtype))]


@functools.cache
def _min_norms(shapes: tuple[tuple[int | None, ...], ...]) -> np.ndarray:
    """Returns, for each shape, the smallest norm at which the fast norm is accurate."""
    return np.sqrt([_size(shape) * _MIN_MEAN_SQUARE for shape in shapes]).astype(np.float32)


def _size(shape: tuple[int | None, ...]) -> int:
    dimensions = [n for n in shape if n is not None]
    return math.prod(dimensions) if len(dimensions) == len(shape) else _ASSUMED_SPARSE_SIZE
