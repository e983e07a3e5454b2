"""edge-of-stability: the sharpness is what the learning rate can bear, or more."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import learned_little

_EDGE = 0.9


class EdgeOfStability(Rule):
    """The sharpness is what the learning rate can bear, or more.

    What it does: looks at the last measurement of the `Curvature` callback, and reports a sharpness,
        as the optimizer sees it, above nine tenths of the threshold at which it diverges on a
        quadratic. It is a warning where it is beyond the threshold and the model learned little.
    Why it is bad: the steps along the sharpest direction go to and fro, and do not get smaller.
    What to do: if the loss goes to and fro too, lower the learning rate below the largest stable
        one. Otherwise nothing: training with large batches hovers at the edge and still learns.
    When it is wrong: the threshold is that of a quadratic and of all the data.
    Source: Cohen, Kaur, Li, Kolter, Talwalkar 2021; Cohen et al. 2022 for adaptive optimizers.
        Nine tenths is where the oscillation of gradient descent takes ten steps to fade.
    """

    code = "edge-of-stability"

    def check(self, run: RunView) -> Iterator[Finding]:
        last = run.curvature
        if last is None or not last.sharpness >= _EDGE * last.threshold:
            return
        ratio = last.sharpness / last.threshold
        yield Finding(
            code=self.code,
            title="Training is at the edge of stability",
            severity="warning" if ratio > 1 and learned_little(run) else "info",
            layers=(),
            first_step=last.step,
            last_step=last.step,
            evidence={
                "sharpness": last.sharpness,
                "threshold": last.threshold,
                "learning_rate": last.learning_rate,
                "largest_stable_learning_rate": last.largest_stable_learning_rate,
            },
            explanation=f"The sharpness is {ratio:.1%} of the {last.threshold:.3g} at which the "
            f"optimizer diverges with a learning rate of {last.learning_rate:.3g}.",
            advice="If the loss goes to and fro, use a learning rate below "
            f"{last.largest_stable_learning_rate:.3g}.",
        )
