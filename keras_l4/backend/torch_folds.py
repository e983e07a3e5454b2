"""torch: norms, means, sums, counts and extremes over the elements of tensors.

To start an operation takes a CPU as long as to go through some ten thousand elements, and a GPU (as
reckoned, not measured) a million: smaller tensors of one shape go through each operation together.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from keras_l4.backend.groups import groups

_SMALL_ON_CPU, _SMALL = 2**14, 2**20
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_FOLDS: dict[str, Callable[..., Any]] = {
    "count": torch.count_nonzero,
    "maximum": torch.amax,
    "minimum": torch.amin,
    "sum": torch.sum,
}

Reduction = Callable[..., Sequence[Any]]
"""Of one tensor and its numbers, or with `dim=1` of tensors `[tensors, elements]` and columns of
numbers `[tensors, 1]`: scalars, or `[tensors]` each."""


def cheap_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    [sums] = _reduced(tensors, _sum_of_squares)
    return sums.sqrt().to(torch.float32)


def _sum_of_squares(x: Any, **dim: int) -> Sequence[Any]:
    # Norms and dot products add up one after the other, which loses digits over millions of
    # elements; sums go by halves.
    wide = widen(x)
    return [(wide * wide).sum(**dim)]


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`; 0 for an empty tensor."""
    [found] = _reduced(tensors, _mean)
    return found.to(torch.float32)


def _mean(x: Any, **dim: int) -> Sequence[Any]:
    # Of nothing the sum is 0, the mean NaN.
    wide = widen(x)
    return [wide.mean(**dim) if x.numel() else wide.sum(**dim)]


def folded(
    tensors: Sequence[Any],
    elements: Callable[..., list[Any]],
    folds: Sequence[str],
    *vectors: Any,
) -> list[Any]:
    """What `elements` makes of each tensor, folded; 0 for an empty one.

    Args:
        tensors: The tensors.
        elements: Is given a tensor, and its element of each of the vectors; makes some of its shape.
        folds: How each of these is folded.
        vectors: `[len(tensors)]` each.

    Returns:
        A vector `[len(tensors)]` per fold: of a count integers, of a sum the widest dtype of what was
        added up, else `float32`.
    """

    def fold(x: Any, *own: Any, **dim: int) -> Sequence[Any]:
        return [_fold(e, how, **dim) for e, how in zip(elements(x, *own), folds, strict=True)]

    return _reduced(tensors, fold, vectors)


def _fold(x: Any, how: str, **dim: int) -> Any:
    if not x.numel():
        nothing = x.sum(**dim)
        return nothing if how == "count" else nothing.to(torch.float32)
    if how == "magnitude":
        # Bits without the sign order as magnitudes do, NaN above all.
        return torch.amax(magnitude_bits(x), **dim).view(x.dtype).to(torch.float32)
    found = _FOLDS[how](x, **dim)
    return found if how in ("count", "sum") else found.to(torch.float32)


def _reduced(
    tensors: Sequence[Any], reduction: Reduction, vectors: Sequence[Any] = ()
) -> list[Any]:
    """What `reduction` makes of each tensor: vectors `[len(tensors)]`; none of no tensors."""
    if not tensors:
        return []
    together, order = groups(tuple(map(_kind, tensors)))
    parts = [
        _of_group([tensors[i] for i in group], reduction, [v[group] for v in vectors])
        for group in together
    ]
    columns = [_column(column) for column in zip(*parts, strict=True)]
    return [column[constant(order, column)] for column in columns] if len(order) else columns


def _of_group(
    tensors: Sequence[Any], reduction: Reduction, vectors: Sequence[Any]
) -> Sequence[Any]:
    if len(tensors) == 1:
        return reduction(tensors[0], *(v[0] for v in vectors))
    stacked = torch.stack(tensors).reshape(len(tensors), -1)
    return reduction(stacked, *(v[:, None] for v in vectors), dim=1)


def _column(parts: Sequence[Any]) -> Any:
    """Vectors, then scalars, as one vector."""
    vectors, scalars = [x for x in parts if x.dim()], [x for x in parts if not x.dim()]
    together = [torch.stack(scalars)] if scalars else []
    return torch.cat(vectors + together) if vectors else together[0]


def _kind(x: Any) -> Any:
    is_small = x.numel() <= (_SMALL_ON_CPU if x.is_cpu else _SMALL)
    return (x.shape, x.dtype) if is_small else None


def widen(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (torch.float32, torch.float64) else x.to(torch.float32)


def summable(x: Any) -> Any:
    """Of a dtype whose sums lose no digits: they go by halves."""
    return widen(x)


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = _INTEGERS[x.dtype.itemsize]
    return x.contiguous().view(integer) & torch.iinfo(integer).max


def constant(array: np.ndarray, like: Any) -> Any:
    """A tensor of `array` where `like` is."""
    return _constant(array.tobytes(), array.dtype.str, like.device)


@functools.lru_cache(maxsize=64)
def _constant(data: bytes, dtype: str, device: Any) -> Any:
    # To copy it at every step would be to wait for the device.
    return torch.as_tensor(np.frombuffer(data, dtype).copy(), device=device)
