"""Definitions of every quantity in float64 NumPy, over one variable or one layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray
_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class ReferenceStep:
    """One step of one variable, or of the concatenated variables of a layer.

    Attributes:
        gradient: Gradient of the whole step, before clipping.
        clipped: Gradient after clipping.
        before: Weights before the update.
        after: Weights after the update.
        rates: Effective learning rate of each element; None without a closed form.
        rate: Effective learning rate of each variable.
        sizes: Number of elements of each variable.
        is_epsilon_dominated: True for the elements whose denominator is ε.
        samples: Rates of the sampled elements.
    """

    gradient: Array
    clipped: Array
    before: Array
    after: Array
    rates: Array | None
    rate: Array
    sizes: Array
    is_epsilon_dominated: Array
    samples: Array = field(init=False)

    def __post_init__(self) -> None:
        variables = np.split(self._rates_or_nan, np.cumsum(self.sizes)[:-1])
        sampled = [x[:: max(1, len(x) // 4096)] for x in variables]
        object.__setattr__(self, "samples", np.concatenate(sampled))

    @property
    def _rates_or_nan(self) -> Array:
        return np.full(self.sizes.sum(), np.nan) if self.rates is None else self.rates

    def quantile(self, level: float) -> float:
        return float(np.quantile(self.samples, level)) if len(self.samples) else np.nan


def concatenate_variables(variables: Sequence[ReferenceStep]) -> ReferenceStep:
    """Concatenates the variables of a layer."""
    names = [name for name in ReferenceStep.__dataclass_fields__ if name != "samples"]
    return ReferenceStep(**{n: np.concatenate([getattr(v, n) for v in variables]) for n in names})


def norm(x: Array) -> float:
    return float(np.sqrt(np.sum(np.square(x, dtype=np.float64))))


def share(mask: Array) -> float:
    return float(np.mean(mask)) if len(mask) else 0.0


def ratio(numerator: float, denominator: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / denominator)


REFERENCES: dict[str, Callable[[ReferenceStep], float]] = {
    "gradient_norm": lambda v: norm(v.gradient),
    "gradient_max_abs": lambda v: np.max(np.abs(v.gradient), initial=0),
    "nan_count": lambda v: np.sum(np.isnan(v.gradient)),
    "inf_count": lambda v: np.sum(np.isinf(v.gradient)),
    "zero_fraction": lambda v: share(v.gradient == 0),
    "subnormal_fraction": lambda v: share(
        (np.abs(v.gradient) < _SMALLEST_NORMAL) & (v.gradient != 0)
    ),
    "clip_factor": lambda v: ratio(norm(v.clipped), norm(v.gradient)) if v.gradient.any() else 1.0,
    "weight_norm": lambda v: norm(v.before),
    "update_norm": lambda v: norm(v.after - v.before),
    "update_ratio": lambda v: ratio(norm(v.after - v.before), norm(v.before)),
    "effective_learning_rate": lambda v: np.sum(v.rate * v.sizes) / np.sum(v.sizes),
    "effective_learning_rate_min": lambda v: np.min(v.rates),
    "effective_learning_rate_p5": lambda v: v.quantile(0.05),
    "effective_learning_rate_p50": lambda v: v.quantile(0.5),
    "effective_learning_rate_p95": lambda v: v.quantile(0.95),
    "effective_learning_rate_max": lambda v: np.max(v.rates),
    "epsilon_dominated_fraction": lambda v: share(v.is_epsilon_dominated),
    "undefined_rate_count": lambda v: np.sum(np.isnan(v.rates)),
}
