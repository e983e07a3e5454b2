"""Packs of small tensors: matrices in which each tensor occupies whole rows.

One operation on a pack replaces one operation per tensor.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_l4.backend.interface import Tensor

# A pack is a copy of its tensors. It should be small compared with the whole model.
_ELEMENTS_PER_PACK = 2**20
SizeAndDtype = tuple[int, Any]


def pack_keys(kinds: Sequence[SizeAndDtype], max_size: int) -> tuple[Any, ...]:
    """Returns the key of each tensor's pack, for `group_by_key`.

    A pack has one dtype and about a million elements. The key is None for a tensor that is not
    packed: an empty one, and one of more than `max_size` elements.
    """
    is_packed = [0 < size <= max_size for size, _ in kinds]
    sizes = (size * packed for (size, _), packed in zip(kinds, is_packed, strict=True))
    triples = zip(kinds, is_packed, itertools.accumulate(sizes), strict=True)
    return tuple(
        (dtype, total // _ELEMENTS_PER_PACK) if packed else None
        for (_, dtype), packed, total in triples
    )


@dataclass(frozen=True)
class Packing:
    """The layout of a pack. Each tensor begins a new row; zeros fill up its last one.

    Attributes:
        width: Elements per row: a power of two near the square root of the largest size.
        num_padding: Number of zeros after each tensor.
        row_owner: Index of the tensor that each row belongs to, `int[rows]`.
        row_length: Number of the tensor's elements in each row, `int[rows]`.
        tensor_rows: Indices of the rows of each tensor, `int[tensors, rows of the largest]`. Where a
            tensor has fewer rows, the index is the number of rows, one past the last.
    """

    width: int
    num_padding: list[int]
    row_owner: np.ndarray
    row_length: np.ndarray
    tensor_rows: np.ndarray

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def of_sizes(sizes: tuple[int, ...]) -> Packing:
        """Returns the layout of a pack of tensors with these numbers of elements."""
        width = 2 ** math.ceil(math.log2(max(sizes)) / 2)
        num_rows = -(-np.array(sizes) // width)
        first_row = np.cumsum(num_rows) - num_rows
        nth = np.arange(num_rows.max())
        owner = np.repeat(np.arange(len(sizes)), num_rows)
        offset = (np.arange(len(owner)) - first_row[owner]) * width
        return Packing(
            width,
            [-size % width for size in sizes],
            owner,
            np.minimum(np.array(sizes)[owner] - offset, width),
            np.where(nth < num_rows[:, None], first_row[:, None] + nth, len(owner)),
        )

    def pad(self, vectors: Sequence[Tensor], zeros: Callable[[int], Tensor]) -> list[Tensor]:
        """Returns each flat tensor, followed by the zeros that fill up its last row."""
        # Zeros come in pieces whose length is a power of two: XLA compiles each length anew.
        pieces = [zeros(2**bit) for bit in range(self.width.bit_length() - 1)]
        padded: list[Tensor] = []
        for vector, num in zip(vectors, self.num_padding, strict=True):
            padded += [vector, *(piece for bit, piece in enumerate(pieces) if num >> bit & 1)]
        return padded
