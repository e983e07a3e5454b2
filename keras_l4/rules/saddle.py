"""saddle: training stopped at a saddle point."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import is_no_better_than_constant


class Saddle(Rule):
    """Training stopped at a saddle point, where the loss still decreases in some direction.

    What it does: reports that the last measurement of the `Curvature` callback found a saddle
        point: a negligible gradient, curvature of both signs, and a loss that was measured to
        decrease along the direction of the most negative curvature. It is a warning if the model
        is no better than a constant prediction, otherwise info.
    Why it is bad: gradient descent leaves a saddle point slowly, at a rate that depends on its
        distance from it, so the run looks as if it had converged.
    What to do: initialize randomly instead of with equal weights; use momentum or smaller batches,
        whose noise moves the weights away; or continue training: the loss will decrease.
    When it is wrong: the data of the measurement may differ from the training data.
    Source: Dauphin et al. 2014; Lee, Simchowitz, Jordan, Recht 2016.
    """

    code = "saddle"

    def check(self, run: RunView) -> Iterator[Finding]:
        curvature = run.last_curvature
        if curvature is None or curvature.kind != "saddle":
            return
        # A single direction along which the loss does not decrease disproves the saddle point.
        if max(curvature.changes.values()) >= 0:
            return
        yield Finding(
            code=self.code,
            title="Training stopped at a saddle point",
            severity="warning" if is_no_better_than_constant(run) else "info",
            layers=(),
            first_step=curvature.step,
            last_step=curvature.step,
            evidence={
                "gradient_norm": curvature.gradient_norm,
                "smallest_curvature": curvature.smallest,
                "largest_curvature": curvature.largest,
                "loss_change": min(curvature.changes.values()),
                "distance": curvature.distance,
            },
            explanation=f"The gradient is close to 0, but the loss decreases by "
            f"{-min(curvature.changes.values()):.2g} at a distance of {curvature.distance:.2g} "
            f"along the direction of curvature {curvature.smallest:.3g}.",
            advice="Initialize randomly; use momentum or smaller batches; continue training.",
        )
