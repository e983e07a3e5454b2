"""torch: norms, means, sums, counts and extremes over the elements of tensors.

To start an operation takes a CPU as long as to go through some ten thousand elements, and a GPU (as
reckoned, not measured) a million: smaller tensors of one shape go through each operation together, as
many as a CPU's cache has room for, or as a GPU's memory can spare.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from keras_l4.backend.common.grouping import groups
from keras_l4.backend.torch.core import constant, to_float32

_SMALL_ON_CPU, _SMALL = 2**14, 2**20


_TOGETHER_ON_CPU, _TOGETHER = 2**17, 2**24


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


def fast_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    # One operation or two do not make up for the copies that larger stacks are.
    [sums] = _reduced(tensors, _sum_of_squares, small=2**12)
    return sums.sqrt().to(torch.float32)


def _sum_of_squares(x: Any, **dim: int) -> Sequence[Any]:
    # Norms and dot products add up one after the other, which loses digits over millions of
    # elements; sums go by halves.
    wide = to_float32(x)
    return [(wide * wide).sum(**dim)]


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`; 0 for an empty tensor."""
    [found] = _reduced(tensors, _mean)
    return found.to(torch.float32)


def _mean(x: Any, **dim: int) -> Sequence[Any]:
    # Of nothing the sum is 0, the mean NaN.
    wide = to_float32(x)
    return [wide.mean(**dim) if x.numel() else wide.sum(**dim)]


def reduce_elements(
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
    tensors: Sequence[Any],
    reduction: Reduction,
    vectors: Sequence[Any] = (),
    small: int = _SMALL_ON_CPU,
) -> list[Any]:
    """What `reduction` makes of each tensor: vectors `[len(tensors)]`; none of no tensors."""
    if not tensors:
        return []
    stacks, alone, order = _plan(tuple([_kind(x, small) for x in tensors]))
    parts = [
        reduction(_stacked([tensors[i] for i in stack]), *(v[stack, None] for v in vectors), dim=1)
        for stack in stacks
    ]
    if alone:
        scalars = [reduction(tensors[i], *[v[i] for v in vectors]) for i in alone]
        parts.append([torch.stack(column) for column in zip(*scalars, strict=True)])
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    return [column[constant(order, column)] for column in columns] if len(order) else columns


def _stacked(tensors: Sequence[Any]) -> Any:
    return torch.stack(tensors).reshape(len(tensors), -1)


def _kind(x: Any, small_on_cpu: int) -> Any:
    """What can be stacked, and how many at most; None for what stands alone."""
    small, together = (small_on_cpu, _TOGETHER_ON_CPU) if x.is_cpu else (_SMALL, _TOGETHER)
    size = x.numel()
    return (x.shape, x.dtype, together // max(1, size)) if size <= small else None


@functools.lru_cache(maxsize=64)
def _plan(kinds: tuple[Any, ...]) -> tuple[list[list[int]], list[int], np.ndarray]:
    """Positions of the tensors of each stack, those of the others, and where each is found."""
    seen: Counter[Any] = Counter()
    numbered = []
    for kind in kinds:
        numbered.append(kind and (kind, seen[kind] // kind[-1]))
        seen[kind] += 1
    together, order = groups(tuple(numbered))
    stacks = [group for group in together if len(group) > 1]
    return stacks, [i for (i,) in together[len(stacks) :]], order


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = _INTEGERS[x.dtype.itemsize]
    return x.contiguous().view(integer) & torch.iinfo(integer).max
