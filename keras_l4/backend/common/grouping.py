"""Groups: tensors that are measured together, since each operation costs something of its own."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np


@functools.lru_cache(maxsize=64)
def groups(kinds: tuple[Any, ...]) -> tuple[list[list[int]], np.ndarray]:
    """Positions of those of one kind, and where each is found among the results of all groups.

    What has no kind stands alone; what stands alone comes last. The second is empty where the
    results are in order.
    """
    found: dict[Any, list[int]] = {}
    for position, kind in enumerate(kinds):
        found.setdefault(position if kind is None else kind, []).append(position)
    together = sorted(found.values(), key=lambda group: len(group) == 1)
    order = np.argsort(np.concatenate(together), kind="stable")
    is_sorted = np.array_equal(order, np.arange(len(order)))
    return together, np.array([], "int64") if is_sorted else order
