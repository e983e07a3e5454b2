"""Distribution of the effective learning rate over the elements of a variable.

Minimum and maximum are exact. Quantiles (linear interpolation, NumPy's default) come from a
strided sample of at least 4096 elements, which is the whole variable up to 4096 elements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from keras_l4.quantities._base import SAMPLED, Derived, Folded

if TYPE_CHECKING:
    import numpy as np

    from keras_l4.recorder.effective_rate import Rate
    from keras_l4.recorder.step import Step
    from keras_l4.recorder.step_table import StepTable


class EffectiveLearningRateMin(Derived):
    """Smallest effective learning rate: that of the element with the largest second moment."""

    name = "effective_learning_rate_min"
    unit = "unit of weight per unit of direction"
    when = SAMPLED
    pool = "minimum"
    of_distribution = True
    reads = ("_second_moment_max",)

    def derive(self, rows: StepTable) -> np.ndarray:
        return rows.effective(rows["_second_moment_max"])


class EffectiveLearningRateMax(Derived):
    """Largest effective learning rate: that of the element with the smallest second moment."""

    name = "effective_learning_rate_max"
    unit = "unit of weight per unit of direction"
    when = SAMPLED
    pool = "maximum"
    of_distribution = True
    reads = ("_second_moment_min",)

    def derive(self, rows: StepTable) -> np.ndarray:
        return rows.effective(rows["_second_moment_min"])


class _Quantile(Derived):
    unit = "unit of weight per unit of direction"
    when = SAMPLED
    pool = "mean_by_size"
    of_distribution = True
    reads = ("_second_moment_min",)
    level: ClassVar[float]

    def derive(self, rows: StepTable) -> np.ndarray:
        return rows.variable_quantiles[self.level]

    def derive_layers(self, rows: StepTable) -> np.ndarray:
        return rows.layer_quantiles[self.level]


class EffectiveLearningRateP5(_Quantile):
    """5 % of the elements have a smaller effective learning rate."""

    name = "effective_learning_rate_p5"
    level = 0.05


class EffectiveLearningRateP50(_Quantile):
    """Median of the effective learning rate."""

    name = "effective_learning_rate_p50"
    level = 0.5


class EffectiveLearningRateP95(_Quantile):
    """95 % of the elements have a smaller effective learning rate."""

    name = "effective_learning_rate_p95"
    level = 0.95


class EpsilonDominatedFraction(Folded):
    """Share of elements whose denominator is ε rather than the second moment."""

    name = "epsilon_dominated_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"
    of_distribution = True
    over = "second_moments"

    def element(self, x: Any, rate: Rate) -> Any:
        return rate.is_epsilon_dominated(x)

    def measure(self, step: Step) -> Any:
        return step.share(step.folded(self))


class UndefinedRateCount(Folded):
    """Elements whose effective learning rate is NaN: a root of a negative number, or of NaN."""

    name = "undefined_rate_count"
    unit = "elements"
    when = SAMPLED
    pool = "count"
    of_distribution = True
    dtype = "int"
    over = "second_moments"

    def element(self, x: Any, rate: Rate) -> Any:
        return rate.is_undefined(x)
