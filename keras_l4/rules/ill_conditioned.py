"""ill-conditioned: the loss curves very differently in different directions."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding

_MOST = 1e3


class IllConditioned(Rule):
    """The loss curves very differently in different directions.

    What it does: looks at the condition number λmax/|λ|_q of the last measurement of the `Curvature`
        callback, and reports one above 1000. It is a note: adaptive optimizers undo a part of it.
    Why it is bad: the largest curvature bounds the learning rate, and with that rate plain gradient
        descent needs of the order of λmax/|λ| steps along a direction of curvature λ.
    What to do: normalization layers, inputs of one scale, momentum, an adaptive optimizer. What
        that makes of it is `keras_l4.curvature.spectrum(..., preconditioned=True)`.
    When it is wrong: directions without any curvature, such as a common shift of all logits, do
        no harm; with many of them |λ|_q is 0.
    Source: Boyd and Vandenberghe 2004, section 9.3; Sagun, Evci, Guney, Dauphin, Bottou 2018 for
        what is usual in networks. 1000 steps is what is meant by slow.
    """

    code = "ill-conditioned"

    def check(self, run: RunView) -> Iterator[Finding]:
        last = run.curvature
        if last is None or not last.condition_number > _MOST:
            return
        about = "at least " if last.is_lower_bound else ""
        yield Finding(
            code=self.code,
            title="The loss is ill-conditioned",
            severity="info",
            layers=(),
            first_step=last.step,
            last_step=last.step,
            evidence={
                "condition_number": last.condition_number,
                "expected_below": _MOST,
                "largest_curvature": last.largest,
                "quantile": last.quantile,
            },
            explanation=f"The largest curvature is {about}{last.condition_number:.3g} times that of "
            f"the {last.quantile:.0%} quantile: a learning rate that is stable for the one is slow "
            "for the other.",
            advice="Normalize inputs and layers; use momentum or an adaptive optimizer.",
        )
