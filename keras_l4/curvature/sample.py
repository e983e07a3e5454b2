"""Argument checks of the fixed sample on which a curvature is measured."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import keras


@runtime_checkable
class _Array(Protocol):
    @property
    def shape(self) -> Any: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> Any: ...


def check_sample(x: Any, y: Any, sample_weight: Any) -> None:
    """Argument check: inputs, targets and weights must be arrays, since every product reads them.

    Raises:
        TypeError: One is a dataset, a generator or the like.
    """
    for name, argument in {"x": x, "y": y, "sample_weight": sample_weight}.items():
        for part in keras.tree.flatten(argument):
            if part is not None and not (isinstance(part, _Array) and len(part.shape)):
                raise TypeError(
                    f"{name} is or holds a {type(part).__name__}: expected an array, or a structure "
                    "of arrays. The curvature is measured on a fixed sample. Take one from a dataset, "
                    "for instance x, y = next(iter(dataset)), or from a keras.utils.PyDataset "
                    "x, y = dataset[0], and pass x and y."
                )


def count_examples(data: Any) -> int:
    """Returns the number of examples in a structure of arrays.

    Raises:
        ValueError: The arrays have different lengths, or no examples.
    """
    lengths = {len(array) for array in keras.tree.flatten(data) if array is not None}
    if len(lengths) != 1 or not min(lengths):
        raise ValueError(
            f"x, y and sample_weight hold {sorted(lengths)} examples: expected arrays of one "
            "length, at least 1."
        )
    return lengths.pop()
