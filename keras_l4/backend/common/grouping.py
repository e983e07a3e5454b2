"""Groups of tensors that one operation measures together, since every operation has a fixed cost."""

from __future__ import annotations

import functools
from collections.abc import Hashable

import numpy as np


@functools.lru_cache(maxsize=64)
def group_by_key(keys: tuple[Hashable, ...]) -> tuple[list[list[int]], np.ndarray]:
    """Groups positions by key. A position whose key is None has a group of its own.

    Returns:
        Groups of positions, those with a single position last; and the index that puts the
        concatenated results of all groups back in order, empty if they are in order already.
    """
    by_key: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        # A position cannot equal a key, because keys are tuples.
        by_key.setdefault(position if key is None else key, []).append(position)
    groups = sorted(by_key.values(), key=lambda group: len(group) == 1)
    order = np.argsort(np.concatenate(groups), kind="stable")
    is_sorted = np.array_equal(order, np.arange(len(order)))
    return groups, np.array([], "int64") if is_sorted else order
