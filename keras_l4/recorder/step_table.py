"""StepTable: measured quantities on the host, from which derived quantities are computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_l4.recorder.effective_rate import EffectiveRate

LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class StepTable:
    """Measured quantities of several steps on the host. Implements `MeasuredValues`.

    Attributes:
        rate: Computes the optimizer's effective learning rate.
        learning_rate: Nominal rate of each step, `float64[steps]`.
        t: Number of the update, from 1, `int64[steps]`.
        values: Quantity name to `[steps, variables]`.
        samples: Sampled second moments, `float32[steps, sample]` per variable; NaN if a sample was
            overwritten before it was read. Empty if the optimizer has no second moment.
        layer_index: The layer of each variable, `int64[variables]`.
    """

    rate: EffectiveRate
    learning_rate: np.ndarray
    t: np.ndarray
    values: Mapping[str, np.ndarray]
    samples: Sequence[np.ndarray]
    layer_index: np.ndarray

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    def effective_rate(self, statistic: np.ndarray) -> np.ndarray:
        """Returns the effective learning rate of a statistic `[steps, ...]`, in float64."""
        per_step = (-1,) + (1,) * (statistic.ndim - 1)
        return self.rate.compute(
            self.learning_rate.reshape(per_step),
            self.t.reshape(per_step),
            statistic.astype(np.float64),
        )

    @cached_property
    def variable_quantiles(self) -> Mapping[float, np.ndarray]:
        """Level to quantile of the effective learning rate, `[steps, variables]`."""
        return self._quantiles(self._sorted_samples)

    @cached_property
    def layer_quantiles(self) -> Mapping[float, np.ndarray]:
        """Level to quantile over the samples of all variables of a layer, `[steps, layers]`."""
        layers: dict[int, list[np.ndarray]] = defaultdict(list)
        for layer, sample in zip(self.layer_index, self._sorted_samples, strict=True):
            layers[layer].append(sample)
        return self._quantiles([_merge_sorted(layers[i]) for i in sorted(layers)])

    @cached_property
    def _sorted_samples(self) -> Sequence[np.ndarray]:
        """The samples, sorted within each step."""
        samples = self.samples or [np.zeros((len(self), 1))] * len(self.layer_index)
        return [np.sort(sample, axis=1) for sample in samples]

    def _quantiles(self, samples: Sequence[np.ndarray]) -> Mapping[float, np.ndarray]:
        quantiles = {level: np.empty((len(self), len(samples))) for level in LEVELS}
        for positions in _positions_by_width(samples):
            stacked = np.stack([samples[i] for i in positions], axis=1)
            for level, values in self._quantiles_of(stacked).items():
                quantiles[level][:, positions] = values
        return quantiles

    def _quantiles_of(self, second_moments: np.ndarray) -> Mapping[float, np.ndarray]:
        """Returns quantiles of the rates of sorted second moments `[steps, n, sample]`.

        Interpolates linearly, as NumPy does by default. Rates decrease as the second moment grows,
        so that the order of the moments, reversed, is the order of the rates: only the elements
        between which a quantile lies are turned into rates.
        """
        last = second_moments.shape[-1] - 1
        if last < 0:
            return dict.fromkeys(LEVELS, np.full(second_moments.shape[:2], np.nan))
        by_rate = second_moments[..., ::-1]
        # NaN is sorted to one end; a negative moment whose root is undefined, to the other.
        is_undefined = np.isnan(self.effective_rate(by_rate[..., [0, -1]])).any(axis=-1)
        quantiles = {}
        for level in LEVELS:
            below, fraction = divmod(level * last, 1)
            neighbors = by_rate[..., [int(below), min(int(below) + 1, last)]]
            low, high = np.moveaxis(self.effective_rate(neighbors), -1, 0)
            quantiles[level] = np.where(is_undefined, np.nan, low + fraction * (high - low))
        return quantiles


def _merge_sorted(samples: Sequence[np.ndarray]) -> np.ndarray:
    # The stable sort is a merge sort that detects sorted runs: ten times as fast here.
    return np.sort(np.concatenate(samples, axis=1), axis=1, kind="stable")


def _positions_by_width(samples: Sequence[np.ndarray]) -> list[list[int]]:
    """Groups the positions of the samples by sample size."""
    groups: dict[int, list[int]] = defaultdict(list)
    for i, sample in enumerate(samples):
        groups[sample.shape[1]].append(i)
    return list(groups.values())
