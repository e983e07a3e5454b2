"""Writes nested structures of arrays as JSON, with the arrays stored separately under numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, TypeAlias

import numpy as np

Json: TypeAlias = Any


def array_name(i: int) -> str:
    """Returns the name of the `i`-th array in a file."""
    return f"{i:06d}"


def to_json(structure: Any) -> Json:
    """Describes a structure of tuples, lists, dicts, arrays and None.

    Each array becomes its position in `keras.tree.flatten(structure)`.

    Raises:
        TypeError: The structure contains something else.
    """
    return _to_json(structure, count())


def _to_json(x: Any, positions: Iterator[int]) -> Json:
    if x is None:
        return None
    if isinstance(x, np.ndarray):
        return next(positions)
    if isinstance(x, Mapping):
        return {"dict": {str(key): _to_json(x[key], positions) for key in sorted(x)}}
    if isinstance(x, tuple | list):
        return {type(x).__name__: [_to_json(part, positions) for part in x]}
    raise TypeError(f"A batch contains a {type(x).__name__}; expected arrays.")


def from_json(description: Json, arrays: Mapping[str, np.ndarray]) -> Any:
    """Returns the structure that `to_json` described.

    Args:
        description: Result of `to_json`.
        arrays: The arrays by `array_name`.

    Raises:
        KeyError, TypeError, ValueError: `to_json` did not write the description.
    """
    if description is None:
        return None
    if isinstance(description, int):
        return arrays[array_name(description)]
    [(kind, parts)] = description.items()
    if kind == "dict":
        return {key: from_json(part, arrays) for key, part in parts.items()}
    if kind not in ("tuple", "list"):
        raise ValueError(f"unknown kind of structure {kind!r}")
    restored = [from_json(part, arrays) for part in parts]
    return tuple(restored) if kind == "tuple" else restored
