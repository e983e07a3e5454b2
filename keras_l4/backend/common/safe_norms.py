"""Euclidean norms that are right wherever they fit into float32: cheap first, exact only then."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_l4 import backend

# A square below float32's smallest normal number may be flushed to zero. Where the sum of
# squares is at least this much per element, all that was lost is less than 1e-6 of it.
_LEAST_SQUARE = float(np.finfo(np.float32).tiny) * 1e6
# A number whose square is beyond float32 has one when divided by it, one whose square underflows when
# multiplied with it. Its reciprocal is a number, too: XLA turns a division into a multiplication.
_FAR = np.float32(2.0**100)
_SIZE_OF_A_SPARSE_GRADIENT = 2**24


def safe_norms(tensors: Sequence[Any]) -> Any:
    """Euclidean norms, `float32[len(tensors)]`.

    A tensor whose sum of squares over- or underflows is divided by a power of two first, s √Σ(x/s)²,
    which is exact. NaN and Inf elements give NaN and Inf; so does a norm beyond float32.
    """
    cheap = backend.reductions.fast_norms(tensors)
    floor = backend.core.constant(_floors(tuple(tuple(x.shape) for x in tensors)), cheap)
    right = (cheap >= floor) & (cheap < np.inf)
    return backend.core.cond(
        backend.core.all_true(right),
        lambda: cheap,
        lambda: backend.core.where(right, cheap, _scaled(tensors, cheap)),
    )


def _scaled(tensors: Sequence[Any], cheap: Any) -> Any:
    scales = backend.core.where(cheap > 1, _FAR, 1 / _FAR)
    [sums] = backend.reductions.reduce_elements(
        [backend.core.to_accumulation_dtype(x) for x in tensors],
        _squares_of_scaled,
        ["sum"],
        scales,
    )
    return scales * ops.cast(ops.sqrt(sums), "float32")


def _squares_of_scaled(x: Any, scale: Any) -> list[Any]:
    return [ops.square(x / ops.cast(scale, x.dtype))]


@functools.cache
def _floors(shapes: tuple[tuple[int | None, ...], ...]) -> np.ndarray:
    return np.array([_floor(shape) for shape in shapes], dtype=np.float32)


def _floor(shape: tuple[int | None, ...]) -> float:
    known = [n for n in shape if n is not None]
    size = math.prod(known) if len(known) == len(shape) else _SIZE_OF_A_SPARSE_GRADIENT
    return math.sqrt(size * _LEAST_SQUARE)
