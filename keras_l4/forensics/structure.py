"""Nested structures of arrays, as JSON and a row of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np


def number(i: int) -> str:
    """Name of the `i`-th array in a file."""
    return f"{i:06d}"


def described(structure: Any) -> Any:
    """What JSON can hold of a structure of tuples, lists, dicts, arrays and None.

    Arrays are numbered in the order of `keras.tree.flatten`.

    Raises:
        TypeError: It holds something else.
    """
    return _described(structure, count())


def _described(x: Any, numbers: Any) -> Any:
    if x is None:
        return None
    if isinstance(x, np.ndarray):
        return next(numbers)
    if isinstance(x, Mapping):
        return {"dict": {str(key): _described(x[key], numbers) for key in sorted(x)}}
    if isinstance(x, tuple | list):
        return {type(x).__name__: [_described(part, numbers) for part in x]}
    raise TypeError(f"A batch holds a {type(x).__name__}; expected arrays.")


def restored(description: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The structure that was described.

    Raises:
        KeyError, TypeError, ValueError: It was not.
    """
    if description is None:
        return None
    if isinstance(description, int):
        return arrays[number(description)]
    [(kind, parts)] = description.items()
    if kind == "dict":
        return {key: restored(part, arrays) for key, part in parts.items()}
    if kind not in ("tuple", "list"):
        raise ValueError(f"it has a structure of the kind {kind!r}")
    inside = [restored(part, arrays) for part in parts]
    return tuple(inside) if kind == "tuple" else inside
