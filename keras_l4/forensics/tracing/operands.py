"""Samples the operands of one non-finite element. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

# These do not compute element by element, even where the shapes of operands and result are equal.
_NOT_ELEMENTWISE = {"matmul", "convolution", "sum", "mean", "softmax", "where", "cumsum"}

Index: TypeAlias = tuple[int, ...]


class ArrayValue(Protocol):
    """The part of `Value` that is read here."""

    @property
    def array(self) -> np.ndarray | None: ...

    @property
    def dtype(self) -> str: ...


@dataclass(frozen=True)
class OperandSample:
    """One non-finite element of an operation's result, and its operands.

    Attributes:
        result: The element: NaN, Inf or -Inf.
        dtype: Dtype of the result.
        operands: The element of each floating-point operand from which `result` was computed.
            Empty for operations that combine several elements of an operand, such as a sum.
        max_abs: Largest magnitude of each floating-point operand, NaN ignored; 0 for an empty one.
        sizes: Number of elements of each floating-point operand.
        exact_dot_product: The element of a matrix product in float64, if it is finite there.
    """

    result: float
    dtype: str
    operands: tuple[float, ...]
    max_abs: tuple[float, ...]
    sizes: tuple[int, ...]
    exact_dot_product: float | None = None


def operand_sample(name: str, inputs: Sequence[ArrayValue], output: ArrayValue) -> OperandSample:
    """Returns the sample of an operation.

    Args:
        name: Plain name of the operation.
        inputs: Its inputs; those that are not floating-point are ignored.
        output: The first output that is not finite.
    """
    result = _to_float64(output)
    arrays = [_to_float64(value) for value in inputs if value.array is not None]
    operands = _elementwise_operands(name, arrays, result)
    index = _sample_index(result, operands)
    return OperandSample(
        float(result[index]),
        output.dtype,
        tuple(float(array[index]) for array in operands),
        tuple(_max_abs(array) for array in arrays),
        tuple(array.size for array in arrays),
        _exact_dot_product(name, arrays, result.shape, index),
    )


def _to_float64(value: ArrayValue) -> np.ndarray:
    array = np.asarray(value.array)
    return np.abs(array) if array.dtype.kind == "c" else array.astype(np.float64)


def _elementwise_operands(
    name: str, arrays: Sequence[np.ndarray], result: np.ndarray
) -> list[np.ndarray]:
    """Returns the operands broadcast to the shape of the result; [] if not elementwise."""
    try:
        shape = np.broadcast_shapes(result.shape, *(array.shape for array in arrays))
    except ValueError:
        return []
    if name in _NOT_ELEMENTWISE or shape != result.shape:
        return []
    return [np.broadcast_to(array, shape) for array in arrays]


def _sample_index(result: np.ndarray, operands: Sequence[np.ndarray]) -> Index:
    """Returns the index of the non-finite element that explains most.

    That is the first element with finite operands; otherwise the first NaN that is not computed
    from a NaN; otherwise the first non-finite element.
    """
    nonfinite = ~np.isfinite(result)
    has_finite_operands = nonfinite & np.all([np.isfinite(array) for array in operands], axis=0)
    has_nan_operand = np.any([np.isnan(array) for array in operands], axis=0)
    is_new_nan = nonfinite & np.isnan(result) & ~has_nan_operand
    candidates = (has_finite_operands, is_new_nan, nonfinite)
    mask = next(mask for mask in candidates if mask.any())
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), result.shape))


def _max_abs(array: np.ndarray) -> float:
    return float(np.abs(array[~np.isnan(array)]).max(initial=0.0))


def _exact_dot_product(
    name: str, arrays: Sequence[np.ndarray], shape: tuple[int, ...], index: Index
) -> float | None:
    if name != "matmul" or [array.ndim for array in arrays] != [2, 2]:
        return None
    left, right = arrays
    # The operation may transpose an operand, which only the shapes show: not those of a square one.
    is_unambiguous = left.shape[0] != left.shape[1] and left.shape[1] == right.shape[0]
    if not is_unambiguous or shape != (left.shape[0], right.shape[1]):
        return None
    with np.errstate(all="ignore"):
        total = float(left[index[0]] @ right[:, index[1]])
    return total if np.isfinite(total) else None
