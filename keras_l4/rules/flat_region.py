"""flat-region: the loss is the same all around."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import learned_little


class FlatRegion(Rule):
    """The loss is the same all around.

    What it does: reports a last measurement of the `Curvature` callback that found a flat region:
        within a hundredth of the weights' norm the loss changes by no more than a hundred thousandth,
        in every direction that was tried. It is a warning where the model learned little.
    Why it is bad: neither gradient nor curvature tells where to go.
    What to do: look for what takes the gradient away: saturated or dead units, vanishing gradients,
        a loss that does not depend on the weights. Another initialization, normalization.
    When it is wrong: a model that has learned what there is may end in a flat region, too.
    Source: Dauphin et al. 2014 (plateaus); Hochreiter and Schmidhuber 1997 for flat minima, which
        are no harm.
    """

    code = "flat-region"

    def check(self, run: RunView) -> Iterator[Finding]:
        last = run.curvature
        if last is None or last.kind != "flat region":
            return
        most = max(map(abs, last.changes.values()))
        yield Finding(
            code=self.code,
            title="The run is in a flat region",
            severity="warning" if learned_little(run) else "info",
            layers=(),
            first_step=last.step,
            last_step=last.step,
            evidence={
                "gradient_norm": last.gradient_norm,
                "largest_loss_change": most,
                "distance": last.distance,
                "loss": last.loss,
            },
            explanation=f"At a distance of {last.distance:.2g} the loss of {last.loss:.3g} changes by "
            f"{most:.2g} at most, in all directions that were tried.",
            advice="Look for saturated or dead units and vanishing gradients; try another "
            "initialization or normalization.",
        )
