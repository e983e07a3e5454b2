"""Micro-steps: what one of them saw stays in the row of the update that they add up to."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_l4.recorder.layout import INDEX, Layout

_CALLS = INDEX.index("calls")


def with_earlier(layout: Layout, row: Any, earlier: Any, is_first: Any) -> Any:
    """The row of a micro-step, with what the micro-steps before it saw.

    A sum of NaN and Inf does not tell how many there were of each, nor in which batch.

    Args:
        layout: What the row holds.
        row: Integers of this micro-step.
        earlier: Integers of the micro-step before.
        is_first: Whether this is the first micro-step of its update.

    Returns:
        The larger of the non-finite counts; and where the earlier one has any, its call.
    """
    counts = _is_nonfinite_count(layout)
    seen = ops.logical_and(ops.logical_not(is_first), ops.any(earlier * counts > 0))
    kept = ops.where(counts > 0, ops.maximum(row, earlier), row)
    kept = ops.where(np.arange(len(counts)) == _CALLS, earlier, kept)
    return ops.where(seen, kept, row)


def _is_nonfinite_count(layout: Layout) -> np.ndarray:
    """1 at the columns of a row that count NaN or Inf, `int[columns]`."""
    counts = [q.of_nonfinite for q in layout.counts]
    columns = [False] * len(INDEX) + np.repeat(counts, len(layout.variables)).tolist()
    return np.array(columns, dtype="int32")
