"""Packing: small tensors, one after the other in rows of one length, to be measured together."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# A pack is a copy: it should be small beside a model of which it is a part.
_PACK = 2**20
Kind = tuple[int, Any]
"""Number of elements, and dtype."""


def packs(kinds: Sequence[Kind], small: int) -> tuple[Any, ...]:
    """The pack that each goes into, of one dtype and about a million elements, for `groups`.

    None for what stays alone: empty tensors, and those of more than `small` elements.
    """
    packable = [0 < size <= small for size, _ in kinds]
    sizes = (size * fits for (size, _), fits in zip(kinds, packable, strict=True))
    triples = zip(kinds, packable, itertools.accumulate(sizes), strict=True)
    return tuple((dtype, n // _PACK) if fits else None for (_, dtype), fits, n in triples)


@dataclass(frozen=True)
class Packing:
    """How tensors lie in rows; each begins a row of its own, and its last one is filled up with zeros.

    Attributes:
        width: Elements of a row: about as many as the largest tensor has rows.
        missing: Zeros at the end of each tensor.
        owners: Which tensor each row belongs to, `int[rows]`.
        filled: How many elements of each row are the tensor's, `int[rows]`.
        rows: The rows of each tensor, `int[tensors, rows of the largest]`; the number of all rows
            where it has no more.
    """

    width: int
    missing: list[int]
    owners: np.ndarray
    filled: np.ndarray
    rows: np.ndarray

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def of(sizes: tuple[int, ...]) -> Packing:
        """That of tensors of so many elements."""
        width = 2 ** math.ceil(math.log2(max(sizes)) / 2)
        counts = -(-np.array(sizes) // width)
        starts = np.cumsum(counts) - counts
        nth = np.arange(counts.max())
        owners = np.repeat(np.arange(len(sizes)), counts)
        before = (np.arange(len(owners)) - starts[owners]) * width
        return Packing(
            width,
            [-size % width for size in sizes],
            owners,
            np.minimum(np.array(sizes)[owners] - before, width),
            np.where(nth < counts[:, None], starts[:, None] + nth, len(owners)),
        )

    def padded(self, vectors: Sequence[Any], zeros: Callable[[int], Any]) -> list[Any]:
        """Each of the tensors, flat, and after it the zeros that fill up its last row."""
        # In pieces of a power of two: XLA compiles the zeros of each length.
        pieces = [zeros(2**bit) for bit in range(self.width.bit_length() - 1)]
        parts: list[Any] = []
        for vector, missing in zip(vectors, self.missing, strict=True):
            parts += [vector, *(piece for bit, piece in enumerate(pieces) if missing >> bit & 1)]
        return parts
