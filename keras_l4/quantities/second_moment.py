"""Second moment: what an adaptive method divides by, the source of its effective rate.

Intermediates: `effective_learning_rate*` turn them into rates on the host, in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import EVERY_STEP, SAMPLED, Folded, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.effective_rate import Rate
    from keras_l4.recorder.step import Step


class RateStatistic(Measured):
    """What the variable's effective rate is computed from; the mean second moment for most."""

    name = "_rate_statistic"
    unit = "depends on the optimizer"
    when = EVERY_STEP
    pool = "mean_by_size"
    reads_weights = False

    def measure(self, step: Step) -> Any:
        return step.rate_statistic


class SecondMomentMinimum(Folded):
    """Smallest second moment of the variable, after the step."""

    name = "_second_moment_min"
    unit = "squared loss per squared unit of weight"
    when = SAMPLED
    pool = "maximum"
    of_distribution = True
    over = "second_moments"
    fold = "minimum"

    def element(self, x: Any, rate: Rate) -> Any:
        return x

    def measure(self, step: Step) -> Any:
        return step.nan_like_mean(step.folded(self))


class SecondMomentMaximum(Folded):
    """Largest second moment of the variable, after the step."""

    name = "_second_moment_max"
    unit = "squared loss per squared unit of weight"
    when = SAMPLED
    pool = "maximum"
    of_distribution = True
    over = "second_moments"
    fold = "maximum"

    def element(self, x: Any, rate: Rate) -> Any:
        return x

    def measure(self, step: Step) -> Any:
        return step.nan_like_mean(step.folded(self))
