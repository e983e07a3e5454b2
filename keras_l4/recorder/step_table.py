"""Rows: what was read from the rings, for derived quantities to be computed from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_l4.recorder.effective_rate import Rate

LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class StepTable:
    """Steps on the host.

    Attributes:
        rate: The optimizer's effective learning rate.
        learning_rate: Nominal rate, `float64[rows]`.
        t: Number of the update, from 1, `int64[rows]`.
        values: Measured quantities, `[rows, variables]`.
        samples: Second moments, one `float32[rows, sample]` per variable; NaN where the sample
            was overwritten before it was read. Empty where the rate has none.
        layer_index: The layer of each variable, `int64[variables]`.
    """

    rate: Rate
    learning_rate: np.ndarray
    t: np.ndarray
    values: Mapping[str, np.ndarray]
    samples: Sequence[np.ndarray]
    layer_index: np.ndarray

    def __getitem__(self, quantity: str) -> np.ndarray:
        return self.values[quantity]

    def effective(self, statistic: np.ndarray) -> np.ndarray:
        """The effective learning rate at a statistic `[rows, ...]`, in float64."""
        shape = (-1,) + (1,) * (statistic.ndim - 1)
        wide = statistic.astype(np.float64)
        return self.rate.rate(self.learning_rate.reshape(shape), self.t.reshape(shape), wide)

    @cached_property
    def variable_quantiles(self) -> Mapping[float, np.ndarray]:
        """Level to quantiles of the effective learning rate, `[rows, variables]`."""
        return self._quantiles(self._ordered)

    @cached_property
    def layer_quantiles(self) -> Mapping[float, np.ndarray]:
        """Level to quantiles over the pooled samples of a layer's variables, `[rows, layers]`."""
        layers: dict[int, list[np.ndarray]] = defaultdict(list)
        for layer, sample in zip(self.layer_index, self._ordered, strict=True):
            layers[layer].append(sample)
        return self._quantiles([_merged(layers[i]) for i in sorted(layers)])

    @cached_property
    def _ordered(self) -> Sequence[np.ndarray]:
        """The samples, each step's from the smallest second moment to the largest."""
        samples = self.samples or [np.zeros((len(self.t), 1))] * len(self.layer_index)
        return [np.sort(sample, axis=1) for sample in samples]

    def _quantiles(self, pools: Sequence[np.ndarray]) -> Mapping[float, np.ndarray]:
        out = {level: np.empty((len(self.t), len(pools))) for level in LEVELS}
        for positions in _by_width(pools):
            pooled = np.stack([pools[i] for i in positions], axis=1)
            for level, values in self._quantiles_of(pooled).items():
                out[level][:, positions] = values
        return out

    def _quantiles_of(self, second_moments: np.ndarray) -> Mapping[float, np.ndarray]:
        """Linear interpolation, NumPy's default, of the rates of `[rows, pools, sample]`, ordered.

        The rate falls as the second moment grows: the order of the moments is that of the rates.
        """
        last = second_moments.shape[-1] - 1
        if last < 0:
            return dict.fromkeys(LEVELS, np.full(second_moments.shape[:2], np.nan))
        ordered = second_moments[..., ::-1]
        undefined = np.isnan(self.effective(ordered[..., [0, -1]])).any(axis=-1)
        out = {}
        for level in LEVELS:
            below, part = divmod(level * last, 1)
            ends = ordered[..., [int(below), min(int(below) + 1, last)]]
            low, high = np.moveaxis(self.effective(ends), -1, 0)
            out[level] = np.where(undefined, np.nan, low + part * (high - low))
        return out


def _merged(ordered: Sequence[np.ndarray]) -> np.ndarray:
    # The stable sort finds what is in order already, and merges: a tenth of the time.
    return np.sort(np.concatenate(ordered, axis=1), axis=1, kind="stable")


def _by_width(pools: Sequence[np.ndarray]) -> list[list[int]]:
    """Positions of the pools, grouped by sample size."""
    groups: dict[int, list[int]] = defaultdict(list)
    for i, pool in enumerate(pools):
        groups[pool.shape[1]].append(i)
    return list(groups.values())
