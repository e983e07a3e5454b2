"""The few numbers per window of steps that TensorBoard's own dashboards show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from keras_l4.events import tags
from keras_l4.records.block import By, StepBlock

StepScalars = dict[int, dict[str, float]]


class Scalars:
    """Picks one row per quantity and window of `update_freq` steps, over all blocks of a run.

    Args:
        update_freq: Steps per window; step 1 begins the first.
        by: One scalar per `"layer"` or per `"variable"`.
    """

    def __init__(self, update_freq: int, by: By) -> None:
        self._update_freq = update_freq
        self._by: By = by
        self._last_window: dict[str, int] = {}
        self._nonfinite: dict[str, int] = {}

    def pick(self, block: StepBlock) -> StepScalars:
        """Scalars of `block` that are due, as step to tag to value."""
        out: StepScalars = defaultdict(dict)
        for quantity in sorted(tags.SCALARS.keys() & block.values.keys()):
            series = block.series(quantity, self._by)
            names = [tags.scalar(quantity, name) for name in series.names]
            self._add(out, quantity, series.steps, names, series.values)
        self._add_globals(out, block)
        self._add_nonfinite(out, block)
        return out

    def take_rest(self) -> dict[str, int]:
        """NaN and Inf that were counted since the last scalar that told their number."""
        rest, self._nonfinite = self._nonfinite, {}
        return {tag: number for tag, number in rest.items() if number}

    def _add_globals(self, out: StepScalars, block: StepBlock) -> None:
        clock = {
            tags.GLOBAL_LEARNING_RATE: block.learning_rate,
            # NaN stands for a loss that was not seen.
            tags.GLOBAL_LOSS: block.loss,
        }
        for tag, values in clock.items():
            seen = ~np.isnan(values)
            self._add(out, tag, block.steps[seen], [tag], values[seen, None])
        if "gradient_norm" in block.values:
            steps = block.steps[block.rows("gradient_norm")]
            tag = tags.GLOBAL_GRADIENT_NORM
            self._add(out, tag, steps, [tag], block.global_gradient_norm[:, None])

    def _add(
        self,
        out: StepScalars,
        key: str,
        steps: np.ndarray,
        names: Sequence[str],
        values: np.ndarray,
    ) -> None:
        for row in self._due(key, steps):
            out[int(steps[row])].update(zip(names, values[row].tolist(), strict=True))

    def _due(self, key: str, steps: np.ndarray) -> np.ndarray:
        """Rows that are the first of `key` in a window."""
        windows, first = np.unique((steps - 1) // self._update_freq, return_index=True)
        fresh = windows > self._last_window.get(key, -1)
        if fresh.any():
            self._last_window[key] = int(windows[-1])
        return first[fresh]

    def _add_nonfinite(self, out: StepScalars, block: StepBlock) -> None:
        """Sums over all steps since the last scalar, so that none is missed."""
        counts = self._counts(block)
        if not counts:
            return
        due = self._due(tags.GLOBAL_NONFINITE, block.steps)
        names, per_step = list(counts), np.column_stack(list(counts.values()))
        per_step[:1] += [self._nonfinite.get(name, 0) for name in names]
        ends = np.append(due, len(block) - 1)
        sums = np.diff(np.cumsum(per_step, axis=0)[ends], axis=0, prepend=0).tolist()
        for row, values in zip(due, sums, strict=False):
            out[int(block.steps[row])].update(zip(names, values, strict=True))
        self._nonfinite = dict(zip(names, sums[-1], strict=True))

    def _counts(self, block: StepBlock) -> dict[str, np.ndarray]:
        """Number of NaN and Inf gradients per tag, each `int64[steps]`."""
        out: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(block), np.int64))
        for quantity in sorted({"nan_count", "inf_count"} & block.values.keys()):
            series = block.series(quantity, self._by)
            rows = block.rows(quantity)
            for name, values in zip(series.names, series.values.T, strict=True):
                out[tags.nonfinite(name)][rows] += values
                out[tags.GLOBAL_NONFINITE][rows] += values
        return out
