"""Distribution of the effective learning rate over the elements of a variable.

Minimum and maximum are exact. Quantiles (linear interpolation, NumPy's default) come from a
strided sample of at least 4096 elements. A variable of up to 8191 elements is its own sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from keras_l4.quantities._base import (
    SAMPLED,
    DerivedQuantity,
    ElementwiseRate,
    MeasuredValues,
    ReductionQuantity,
    StepContext,
    Tensor,
)

if TYPE_CHECKING:
    import numpy as np


class EffectiveLearningRateMin(DerivedQuantity):
    """Smallest effective learning rate: that of the element with the largest second moment."""

    name = "effective_learning_rate_min"
    unit = "unit of weight per unit of direction"
    when = SAMPLED
    pool = "minimum"
    requires_elementwise_rate = True
    reads = ("_second_moment_max",)

    def derive(self, measured: MeasuredValues) -> np.ndarray:
        return measured.effective_rate(measured["_second_moment_max"])


class EffectiveLearningRateMax(DerivedQuantity):
    """Largest effective learning rate: that of the element with the smallest second moment."""

    name = "effective_learning_rate_max"
    unit = "unit of weight per unit of direction"
    when = SAMPLED
    pool = "maximum"
    requires_elementwise_rate = True
    reads = ("_second_moment_min",)

    def derive(self, measured: MeasuredValues) -> np.ndarray:
        return measured.effective_rate(measured["_second_moment_min"])


class _Quantile(DerivedQuantity):
    """A quantile at `level`. Abstract. Layers: the quantile of the samples of all variables."""

    unit = "unit of weight per unit of direction"
    when = SAMPLED
    pool = "mean_by_size"
    requires_elementwise_rate = True
    # The samples are not a quantity: they are read from a ring buffer of their own.
    reads = ("_second_moment_min",)
    level: ClassVar[float]

    def derive(self, measured: MeasuredValues) -> np.ndarray:
        return measured.variable_quantiles[self.level]

    def derive_layers(self, measured: MeasuredValues) -> np.ndarray:
        return measured.layer_quantiles[self.level]


class EffectiveLearningRateP5(_Quantile):
    """5th percentile of the effective learning rate."""

    name = "effective_learning_rate_p5"
    level = 0.05


class EffectiveLearningRateP50(_Quantile):
    """Median of the effective learning rate."""

    name = "effective_learning_rate_p50"
    level = 0.5


class EffectiveLearningRateP95(_Quantile):
    """95th percentile of the effective learning rate."""

    name = "effective_learning_rate_p95"
    level = 0.95


class EpsilonDominatedFraction(ReductionQuantity):
    """Fraction of elements whose denominator is ε rather than the second moment."""

    name = "epsilon_dominated_fraction"
    unit = "share of elements"
    when = SAMPLED
    pool = "mean_by_size"
    requires_elementwise_rate = True
    source = "second_moments"

    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        return rate.is_epsilon_dominated(x)

    def measure(self, step: StepContext) -> Tensor:
        return step.fraction(step.reductions_of(self))


class UndefinedRateCount(ReductionQuantity):
    """Number of elements whose effective learning rate is NaN.

    Their second moment is NaN, or its root is taken of a negative number. Exact.
    """

    name = "undefined_rate_count"
    unit = "elements"
    when = SAMPLED
    pool = "count"
    requires_elementwise_rate = True
    dtype = "int"
    source = "second_moments"

    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        return rate.is_undefined(x)
