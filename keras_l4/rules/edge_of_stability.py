"""edge-of-stability: the learning rate is close to the stability limit."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import is_no_better_than_constant

_EDGE = 0.9


class EdgeOfStability(Rule):
    """The learning rate is close to the stability limit, or beyond it.

    What it does: reports that the last measurement of the `Curvature` callback found a
        (preconditioned) sharpness above 90 % of the threshold at which the optimizer diverges on
        a quadratic loss. It is a warning if the threshold is exceeded and the model is no better
        than a constant prediction, otherwise info.
    Why it is bad: steps along the direction of largest curvature overshoot the minimum, and the
        oscillation does not decay.
    What to do: if the loss oscillates, lower the learning rate below the largest stable one.
        Otherwise nothing: training with large batches usually reaches the edge and still learns.
    When it is wrong: the threshold holds for a quadratic loss and the gradient of all data.
    Source: Cohen, Kaur, Li, Kolter, Talwalkar 2021; Cohen et al. 2022 for adaptive optimizers.
        At 90 % of the threshold, gradient descent takes ten steps to damp an oscillation.
    """

    code = "edge-of-stability"

    def check(self, run: RunView) -> Iterator[Finding]:
        curvature = run.last_curvature
        if curvature is None or not curvature.sharpness >= _EDGE * curvature.threshold:
            return
        ratio = curvature.sharpness / curvature.threshold
        yield Finding(
            code=self.code,
            title="Training is at the edge of stability",
            severity="warning" if ratio > 1 and is_no_better_than_constant(run) else "info",
            layers=(),
            first_step=curvature.step,
            last_step=curvature.step,
            evidence={
                "sharpness": curvature.sharpness,
                "threshold": curvature.threshold,
                "learning_rate": curvature.learning_rate,
                "largest_stable_learning_rate": curvature.largest_stable_learning_rate,
            },
            explanation=f"The sharpness is {ratio:.1%} of {curvature.threshold:.3g}, the value at "
            f"which the optimizer diverges for a learning rate of {curvature.learning_rate:.3g}.",
            advice="If the loss oscillates, use a learning rate below "
            f"{curvature.largest_stable_learning_rate:.3g}.",
        )
