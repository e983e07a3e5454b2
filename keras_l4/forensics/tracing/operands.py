"""The numbers that made an operation give what is not finite; NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# The operands of these do not meet element by element, though their shapes may look so.
_MIXING = {"matmul", "convolution", "sum", "mean", "softmax", "where", "cumsum"}


class Numbers(Protocol):
    """A `Value`: its numbers, and what is known about them."""

    @property
    def array(self) -> np.ndarray | None: ...

    @property
    def dtype(self) -> str: ...


@dataclass(frozen=True)
class OperandSample:
    """One element that is not finite, and what it came from.

    Attributes:
        result: The element: NaN, Inf or -Inf.
        dtype: Of the result.
        operands: What met in that element, one number per floating operand; empty where more
            than one element of an operand enters it, as in a sum.
        largest: Largest magnitude of each floating operand; 0 for an empty one.
        sizes: Number of elements of each.
        sum_of_products: The element in float64 where it is that of two finite matrices.
    """

    result: float
    dtype: str
    operands: tuple[float, ...]
    largest: tuple[float, ...]
    sizes: tuple[int, ...]
    sum_of_products: float | None = None


def evidence(name: str, inputs: Sequence[Numbers], output: Numbers) -> OperandSample:
    """Evidence from what the operation took and gave.

    Args:
        name: Its plain name.
        inputs: All that it took; what is not floating is left out.
        output: The first of what it gave that is not finite.
    """
    result = _wide(output)
    arrays = [_wide(value) for value in inputs if value.array is not None]
    meeting = _meeting(name, arrays, result)
    at = _culprit(result, meeting)
    return OperandSample(
        float(result[at]),
        output.dtype,
        tuple(float(array[at]) for array in meeting),
        tuple(_largest(array) for array in arrays),
        tuple(array.size for array in arrays),
        _sum_of_products(name, arrays, result.shape, at),
    )


def _wide(value: Numbers) -> np.ndarray:
    array = np.asarray(value.array)
    return np.abs(array) if array.dtype.kind == "c" else array.astype(np.float64)


def _meeting(name: str, arrays: Sequence[np.ndarray], result: np.ndarray) -> list[np.ndarray]:
    try:
        shape = np.broadcast_shapes(result.shape, *(array.shape for array in arrays))
    except ValueError:
        return []
    if name in _MIXING or shape != result.shape:
        return []
    return [np.broadcast_to(array, shape) for array in arrays]


def _culprit(result: np.ndarray, meeting: Sequence[np.ndarray]) -> tuple[int, ...]:
    """The first element all of whose operands are finite; else that of no NaN; else the first."""
    broken = ~np.isfinite(result)
    finite = broken & np.all([np.isfinite(array) for array in meeting], axis=0)
    fresh = broken & np.isnan(result) & ~np.any([np.isnan(array) for array in meeting], axis=0)
    chosen = next(mask for mask in (finite, fresh, broken) if mask.any())
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(chosen)), result.shape))


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array[~np.isnan(array)]).max(initial=0.0))


def _sum_of_products(
    name: str, arrays: Sequence[np.ndarray], shape: tuple[int, ...], at: tuple[int, ...]
) -> float | None:
    """Where the two matrices can be told to be neither of them transposed."""
    if name != "matmul" or [array.ndim for array in arrays] != [2, 2]:
        return None
    left, right = arrays
    told = left.shape[0] != left.shape[1] and left.shape[1] == right.shape[0]
    if not told or shape != (left.shape[0], right.shape[1]):
        return None
    with np.errstate(all="ignore"):
        total = float(left[at[0]] @ right[:, at[1]])
    return total if np.isfinite(total) else None
