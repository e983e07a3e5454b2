"""Reductions on torch.

To start an operation takes a CPU as long as to process some ten thousand elements, and a GPU (by
estimate, not measured) as long as a million. Smaller tensors of one shape are stacked, as many as the
cache of a CPU holds, or as the memory of a GPU can spare.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from keras_l4.backend.common.grouping import group_by_key
from keras_l4.backend.interface import Tensor
from keras_l4.backend.torch.core import constant, to_float32

# Tensors of at most so many elements are stacked.
_MAX_STACKED_SIZE_ON_CPU, _MAX_STACKED_SIZE_ON_GPU = 2**14, 2**20
# For the norms of every step: with one operation or two, copying larger tensors costs more.
_MAX_STACKED_SIZE_OF_NORMS_ON_CPU = 2**12
_ELEMENTS_PER_STACK_ON_CPU, _ELEMENTS_PER_STACK_ON_GPU = 2**17, 2**24
_INTEGER_DTYPES = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "count": torch.count_nonzero,
    "maximum": torch.amax,
    "minimum": torch.amin,
    "sum": torch.sum,
}
Reduce: TypeAlias = Callable[..., Sequence[Tensor]]
"""Reduces a tensor, given with its element of each vector, to scalars; or, with `dim=1`, a stack
`[tensors, elements]`, given with a column `[tensors, 1]` of each vector, to vectors `[tensors]`."""
StackKey: TypeAlias = tuple[Any, Any, int] | None
"""Shape, dtype and the largest number of tensors per stack; None for a tensor that stays single."""


def reduce_elements(
    tensors: Sequence[Tensor],
    map_elements: Callable[..., list[Tensor]],
    reductions: Sequence[str],
    *vectors: Tensor,
) -> list[Tensor]:
    def reduce(x: Tensor, *scalars: Tensor, **dim: int) -> Sequence[Tensor]:
        mapped = zip(reductions, map_elements(x, *scalars), strict=True)
        return [_reduce_mapped(reduction, y, **dim) for reduction, y in mapped]

    return _reduce_by_groups(tensors, reduce, vectors)


def magnitude_bits(x: Tensor) -> Tensor:
    integer = _INTEGER_DTYPES[x.dtype.itemsize]
    return x.contiguous().view(integer) & torch.iinfo(integer).max


def fast_norms(tensors: Sequence[Tensor]) -> Tensor:
    [sums] = _reduce_by_groups(
        tensors, _sum_of_squares, max_size_on_cpu=_MAX_STACKED_SIZE_OF_NORMS_ON_CPU
    )
    return sums.sqrt().to(torch.float32)


def means(tensors: Sequence[Tensor]) -> Tensor:
    [vector] = _reduce_by_groups(tensors, _mean)
    return vector.to(torch.float32)


def _sum_of_squares(x: Tensor, **dim: int) -> Sequence[Tensor]:
    # `torch.sum` adds pairwise. Norms and dot products add one element after the other, which loses
    # digits over millions of elements.
    x32 = to_float32(x)
    return [(x32 * x32).sum(**dim)]


def _mean(x: Tensor, **dim: int) -> Sequence[Tensor]:
    # The mean of an empty tensor is NaN, its sum 0.
    x32 = to_float32(x)
    return [x32.mean(**dim) if x.numel() else x32.sum(**dim)]


def _reduce_mapped(reduction: str, x: Tensor, **dim: int) -> Tensor:
    if not x.numel():
        zero = x.sum(**dim)
        return zero if reduction == "count" else zero.to(torch.float32)
    if reduction == "max_abs":
        # The bits are ordered like the magnitudes, with NaN above all. `abs` would be a second pass.
        return torch.amax(magnitude_bits(x), **dim).view(x.dtype).to(torch.float32)
    reduced = _OPERATIONS[reduction](x, **dim)
    return reduced if reduction in ("count", "sum") else reduced.to(torch.float32)


def _reduce_by_groups(
    tensors: Sequence[Tensor],
    reduce: Reduce,
    vectors: Sequence[Tensor] = (),
    max_size_on_cpu: int = _MAX_STACKED_SIZE_ON_CPU,
) -> list[Tensor]:
    """Applies `reduce` to stacks of small tensors, and to each other tensor."""
    if not tensors:
        return []
    stacks, single, order = _plan_stacks(tuple([_stack_key(x, max_size_on_cpu) for x in tensors]))
    parts = [
        reduce(_stack([tensors[i] for i in stack]), *(v[stack, None] for v in vectors), dim=1)
        for stack in stacks
    ]
    if single:
        rows = [reduce(tensors[i], *[v[i] for v in vectors]) for i in single]
        parts.append([torch.stack(column) for column in zip(*rows, strict=True)])
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    return [column[constant(order, column)] for column in columns] if len(order) else columns


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(tensors).reshape(len(tensors), -1)


def _stack_key(x: Tensor, max_size_on_cpu: int) -> StackKey:
    max_size, elements_per_stack = (
        (max_size_on_cpu, _ELEMENTS_PER_STACK_ON_CPU)
        if x.is_cpu
        else (_MAX_STACKED_SIZE_ON_GPU, _ELEMENTS_PER_STACK_ON_GPU)
    )
    size = x.numel()
    return (x.shape, x.dtype, elements_per_stack // max(1, size)) if size <= max_size else None


@functools.lru_cache(maxsize=64)
def _plan_stacks(keys: tuple[StackKey, ...]) -> tuple[list[list[int]], list[int], np.ndarray]:
    """Returns the positions of each stack, those of single tensors, and the index of `group_by_key`."""
    num_tensors: Counter[StackKey] = Counter()
    numbered_keys = []
    for key in keys:
        numbered_keys.append(key and (key, num_tensors[key] // key[-1]))
        num_tensors[key] += 1
    groups, order = group_by_key(tuple(numbered_keys))
    stacks = [group for group in groups if len(group) > 1]
    return stacks, [position for (position,) in groups[len(stacks) :]], order
