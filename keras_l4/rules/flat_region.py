"""flat-region: the loss is constant in the neighborhood of the weights."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import is_no_better_than_constant


class FlatRegion(Rule):
    """The loss is constant in the neighborhood of the weights.

    What it does: reports that the last measurement of the `Curvature` callback found a flat
        region: at a distance of 1 % of the weights' norm the loss changes by at most 0.001 % in
        every direction that was tested. It is a warning if the model is no better than a constant
        prediction, otherwise info.
    Why it is bad: neither the gradient nor the curvature points to a lower loss.
    What to do: find out why the gradient is 0: saturated or dead units, vanishing gradients, a
        loss that does not depend on the weights. Try another initialization or normalization.
    When it is wrong: a converged model may be in a flat region, too.
    Source: Dauphin et al. 2014 for plateaus; Hochreiter and Schmidhuber 1997 for flat minima,
        which are harmless.
    """

    code = "flat-region"

    def check(self, run: RunView) -> Iterator[Finding]:
        curvature = run.last_curvature
        if curvature is None or curvature.kind != "flat region":
            return
        largest_change = max(map(abs, curvature.changes.values()))
        yield Finding(
            code=self.code,
            title="The loss is flat around the weights",
            severity="warning" if is_no_better_than_constant(run) else "info",
            layers=(),
            first_step=curvature.step,
            last_step=curvature.step,
            evidence={
                "gradient_norm": curvature.gradient_norm,
                "largest_loss_change": largest_change,
                "distance": curvature.distance,
                "loss": curvature.loss,
            },
            explanation=f"At a distance of {curvature.distance:.2g} from the weights, the loss of "
            f"{curvature.loss:.3g} changes by at most {largest_change:.2g} in all directions that "
            "were tested.",
            advice="Look for saturated or dead units and vanishing gradients; try another "
            "initialization or normalization.",
        )
