"""Second moment: the average of squared gradients whose root an adaptive optimizer divides by.

These are intermediates: the `effective_learning_rate*` quantities turn them into rates on the host,
in float64.
"""

from __future__ import annotations

from keras_l4.quantities._base import (
    EVERY_STEP,
    SAMPLED,
    DeviceQuantity,
    ElementwiseRate,
    ReductionQuantity,
    StepContext,
    Tensor,
)


class RateStatistic(DeviceQuantity):
    """The number from which a variable's effective learning rate is computed.

    It is the mean second moment for most optimizers.
    """

    name = "_rate_statistic"
    unit = "depends on the optimizer"
    when = EVERY_STEP
    pool = "mean_by_size"
    reads_weights = False

    def measure(self, step: StepContext) -> Tensor:
        return step.rate_statistic


class _SecondMomentExtreme(ReductionQuantity):
    """An extreme of the second moment of a variable, after the step. Abstract."""

    unit = "squared loss per squared unit of weight"
    when = SAMPLED
    pool = "maximum"
    requires_elementwise_rate = True
    source = "second_moments"

    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        return x

    def measure(self, step: StepContext) -> Tensor:
        # A maximum or minimum on the device may miss a NaN, which the mean does not.
        return step.propagate_mean_nan(step.reductions_of(self))


class SecondMomentMinimum(_SecondMomentExtreme):
    """Smallest second moment of the variable, after the step."""

    name = "_second_moment_min"
    reduction = "minimum"


class SecondMomentMaximum(_SecondMomentExtreme):
    """Largest second moment of the variable, after the step."""

    name = "_second_moment_max"
    reduction = "maximum"
