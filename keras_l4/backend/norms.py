"""Euclidean norms that are right wherever they fit into float32: cheap first, exact only then."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_l4.backend.active import cheap_norms, cond, constant, each, every, where, widen

# A square below float32's smallest normal number may be flushed to zero. Where the sum of
# squares is at least this much per element, all that was lost is less than 1e-6 of it.
_LEAST_SQUARE = float(np.finfo(np.float32).tiny) * 1e6
# A number that is large has a square when divided by it, a small one when multiplied with it. XLA
# turns a division into a multiplication: unlike the largest elements, it has a reciprocal.
_FAR = np.float32(2.0**100)
_SIZE_OF_A_SPARSE_GRADIENT = 2**24


def exact_norms(tensors: Sequence[Any]) -> Any:
    """Euclidean norms, `float32[len(tensors)]`.

    A tensor whose sum of squares over- or underflows is divided by a power of two first, s √Σ(x/s)²,
    which is exact. NaN and Inf elements give NaN and Inf; so does a norm beyond float32.
    """
    cheap = cheap_norms(tensors)
    floor = constant(_floors(tuple(tuple(x.shape) for x in tensors)), cheap)
    right = (cheap >= floor) & (cheap < np.inf)
    return cond(
        every(right),
        lambda: cheap,
        lambda: where(right, cheap, *each(_scaled_norm, tensors)),
    )


@functools.cache
def _floors(shapes: tuple[tuple[int | None, ...], ...]) -> np.ndarray:
    return np.array([_floor(shape) for shape in shapes], dtype=np.float32)


def _floor(shape: tuple[int | None, ...]) -> float:
    known = [n for n in shape if n is not None]
    size = math.prod(known) if len(known) == len(shape) else _SIZE_OF_A_SPARSE_GRADIENT
    return math.sqrt(size * _LEAST_SQUARE)


def _scaled_norm(tensor: Any, axis: int | None = None) -> list[Any]:
    x = widen(tensor)
    is_large = ops.any(ops.abs(x) > 1, axis)
    scale = ops.cast(ops.where(is_large, _FAR, 1 / _FAR), x.dtype)
    squares = ops.square(x / (scale if axis is None else scale[:, None]))
    return [ops.cast(scale * ops.sqrt(ops.sum(squares, axis)), "float32")]
