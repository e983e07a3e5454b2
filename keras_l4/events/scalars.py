"""ScalarSampler: picks the few values per window of steps that become TensorBoard scalars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from keras_l4.events import tags
from keras_l4.records.block import By, StepBlock

StepScalars: TypeAlias = dict[int, dict[str, float]]
"""Step to tag to value."""


class ScalarSampler:
    """Samples the first value of each tag in every window of `update_freq` steps.

    Windows and sums continue from one block to the next.

    Args:
        update_freq: Number of steps per window. The first window begins at step 1.
        by: One scalar per `"layer"` or per `"variable"`.
    """

    def __init__(self, update_freq: int, by: By) -> None:
        self._update_freq = update_freq
        self._by: By = by
        self._last_window: dict[str, int] = {}
        self._unwritten_counts: dict[str, int] = {}

    def sample(self, block: StepBlock) -> StepScalars:
        """Returns the scalars of `block`."""
        out: StepScalars = defaultdict(dict)
        for quantity in sorted(tags.SCALARS.keys() & block.values.keys()):
            series = block.series(quantity, self._by)
            names = [tags.scalar(quantity, name) for name in series.names]
            self._add(out, quantity, series.steps, names, series.values)
        self._add_global_scalars(out, block)
        self._add_nonfinite_counts(out, block)
        return out

    def pop_unwritten_counts(self) -> dict[str, int]:
        """Returns tag to number of the NaN and Inf that no scalar includes yet, and resets them."""
        counts, self._unwritten_counts = self._unwritten_counts, {}
        return {tag: count for tag, count in counts.items() if count}

    def _add_global_scalars(self, out: StepScalars, block: StepBlock) -> None:
        scalars = {
            tags.GLOBAL_LEARNING_RATE: block.learning_rate,
            tags.GLOBAL_LOSS: block.loss,  # NaN at steps whose loss was not read.
        }
        for tag, values in scalars.items():
            is_known = ~np.isnan(values)
            self._add(out, tag, block.steps[is_known], [tag], values[is_known, None])
        if "gradient_norm" in block.values:
            steps = block.steps[block.rows("gradient_norm")]
            tag = tags.GLOBAL_GRADIENT_NORM
            self._add(out, tag, steps, [tag], block.global_gradient_norm[:, None])

    def _add(
        self,
        out: StepScalars,
        key: str,
        steps: np.ndarray,
        tag_names: Sequence[str],
        values: np.ndarray,
    ) -> None:
        """Adds the due rows of `values` `[steps, tags]`; `key` identifies their windows."""
        for row in self._due_rows(key, steps):
            out[int(steps[row])].update(zip(tag_names, values[row].tolist(), strict=True))

    def _due_rows(self, key: str, steps: np.ndarray) -> np.ndarray:
        """Returns the rows that are the first of `key` in their window."""
        windows, first_rows = np.unique((steps - 1) // self._update_freq, return_index=True)
        is_new = windows > self._last_window.get(key, -1)
        if is_new.any():
            self._last_window[key] = int(windows[-1])
        return first_rows[is_new]

    def _add_nonfinite_counts(self, out: StepScalars, block: StepBlock) -> None:
        """Adds sums over all steps since the previous scalar, so that every step is counted."""
        counts = self._nonfinite_counts(block)
        if not counts:
            return
        due = self._due_rows(tags.GLOBAL_NONFINITE, block.steps)
        tag_names, per_step = list(counts), np.column_stack(list(counts.values()))
        per_step[:1] += [self._unwritten_counts.get(tag, 0) for tag in tag_names]
        # Add the end of the block, so that the remaining counts are carried over.
        ends = np.append(due, len(block) - 1)
        sums = np.diff(np.cumsum(per_step, axis=0)[ends], axis=0, prepend=0).tolist()
        for row, values in zip(due, sums, strict=False):
            out[int(block.steps[row])].update(zip(tag_names, values, strict=True))
        self._unwritten_counts = dict(zip(tag_names, sums[-1], strict=True))

    def _nonfinite_counts(self, block: StepBlock) -> dict[str, np.ndarray]:
        """Returns tag to number of NaN and Inf gradients, `int64[steps]`."""
        out: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(block), np.int64))
        for quantity in sorted({"nan_count", "inf_count"} & block.values.keys()):
            series = block.series(quantity, self._by)
            rows = block.rows(quantity)
            for name, values in zip(series.names, series.values.T, strict=True):
                out[tags.nonfinite(name)][rows] += values
                out[tags.GLOBAL_NONFINITE][rows] += values
        return out
