"""Groups: tensors that are measured together, since each operation costs something of its own."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np


@functools.lru_cache(maxsize=64)
def groups(kinds: tuple[tuple[Any, ...] | None, ...]) -> tuple[list[list[int]], np.ndarray]:
    """Positions of those of one kind, and where each is found among the results of all groups.

    What has no kind stands alone. The second is empty where the results are in order.
    """
    found: dict[Any, list[int]] = {}
    for position, kind in enumerate(kinds):
        found.setdefault(position if kind is None else kind, []).append(position)
    order = np.argsort(np.concatenate(list(found.values())), kind="stable")
    is_sorted = np.array_equal(order, np.arange(len(order)))
    return list(found.values()), np.array([], "int64") if is_sorted else order
