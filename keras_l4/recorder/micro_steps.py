"""Micro-steps: the row of an update includes the non-finite counts of all its micro-steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_l4.recorder.layout import INTEGER_COLUMNS, Layout

_CALLS = INTEGER_COLUMNS.index("calls")


def merge_micro_step_counts(layout: Layout, row: Any, earlier: Any, is_first: Any) -> Any:
    """Merges the non-finite counts of earlier micro-steps into the row of this one.

    The accumulated gradient alone does not suffice: NaN + Inf is NaN, so that the sum has lost how
    many there were of each, and in which batch.

    Args:
        layout: The columns of a row.
        row: Integers of this micro-step, `[columns]`.
        earlier: Integers of the micro-step before, `[columns]`.
        is_first: True if this is the first micro-step of its update.

    Returns:
        The row with the larger of the non-finite counts. If the earlier row has non-finite counts,
        the result keeps its call number, which identifies the batch.
    """
    is_count = _is_nonfinite_count(layout)
    has_earlier = ops.logical_and(ops.logical_not(is_first), ops.any(earlier * is_count > 0))
    merged = ops.where(is_count > 0, ops.maximum(row, earlier), row)
    merged = ops.where(np.arange(len(is_count)) == _CALLS, earlier, merged)
    return ops.where(has_earlier, merged, row)


def _is_nonfinite_count(layout: Layout) -> np.ndarray:
    """Returns 1 for the columns of a row that count NaN or Inf, else 0, `int32[columns]`."""
    is_count = [q.is_zero_when_finite for q in layout.count_quantities]
    columns = [False] * len(INTEGER_COLUMNS) + np.repeat(is_count, len(layout.variables)).tolist()
    return np.array(columns, dtype="int32")
