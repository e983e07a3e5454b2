"""saddle: the run rests where the loss still falls in some direction."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import learned_little


class Saddle(Rule):
    """The run rests where the loss still falls in some direction.

    What it does: reports a last measurement of the `Curvature` callback that found a saddle: no
        gradient to speak of, curvature of both signs, and a loss that was measured to fall along
        the direction of most negative curvature. It is a warning where the model learned little.
    Why it is bad: a gradient method leaves a saddle at a rate that depends on how far it happens
        to be from its middle, and may take it for the end.
    What to do: a random initialization instead of equal weights, momentum, smaller batches, whose
        noise pushes away from it; or go on: the loss will fall.
    When it is wrong: the data that it was measured on may not be that of training.
    Source: Dauphin et al. 2014; Lee, Simchowitz, Jordan, Recht 2016.
    """

    code = "saddle"

    def check(self, run: RunView) -> Iterator[Finding]:
        last = run.curvature
        if last is None or last.kind != "saddle" or max(last.changes.values()) >= 0:
            return
        yield Finding(
            code=self.code,
            title="The run rests at a saddle",
            severity="warning" if learned_little(run) else "info",
            layers=(),
            first_step=last.step,
            last_step=last.step,
            evidence={
                "gradient_norm": last.gradient_norm,
                "smallest_curvature": last.smallest,
                "largest_curvature": last.largest,
                "loss_change": min(last.changes.values()),
                "distance": last.distance,
            },
            explanation=f"There is no gradient left, yet the loss falls by "
            f"{-min(last.changes.values()):.2g} at a distance of {last.distance:.2g}, along the "
            f"direction of curvature {last.smallest:.3g}.",
            advice="Initialize at random; use momentum or smaller batches; train on.",
        )
