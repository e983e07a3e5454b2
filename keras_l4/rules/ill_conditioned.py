"""ill-conditioned: the curvature of the loss differs strongly between directions."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView

_MAX_CONDITION_NUMBER = 1e3


class IllConditioned(Rule):
    """The curvature of the loss differs strongly between directions.

    What it does: reports a condition number λmax/|λ|_q above 1000 in the last measurement of the
        `Curvature` callback. It is always info, because adaptive optimizers compensate for a part
        of it.
    Why it is bad: the largest curvature limits the learning rate. With that learning rate, gradient
        descent needs about λmax/|λ| steps along a direction of curvature λ.
    What to do: add normalization layers, scale the inputs, use momentum or an adaptive optimizer.
        `keras_l4.curvature.spectrum(..., preconditioned=True)` measures the conditioning that
        the optimizer leaves.
    When it is wrong: directions without any curvature, such as a common shift of all logits, are
        harmless; with many of them |λ|_q is 0.
    Source: Boyd and Vandenberghe 2004, section 9.3; Sagun, Evci, Guney, Dauphin, Bottou 2018 for
        the spectra of neural networks. The threshold corresponds to convergence in 1000 steps.
    """

    code = "ill-conditioned"

    def check(self, run: RunView) -> Iterator[Finding]:
        curvature = run.last_curvature
        if curvature is None or not curvature.condition_number > _MAX_CONDITION_NUMBER:
            return
        bound = "at least " if curvature.is_lower_bound else ""
        yield Finding(
            code=self.code,
            title="The loss is ill-conditioned",
            severity="info",
            layers=(),
            first_step=curvature.step,
            last_step=curvature.step,
            evidence={
                "condition_number": curvature.condition_number,
                "expected_below": _MAX_CONDITION_NUMBER,
                "largest_curvature": curvature.largest,
                "quantile": curvature.quantile,
            },
            explanation=f"The largest curvature is {bound}{curvature.condition_number:.3g} times "
            f"the {curvature.quantile:.0%} quantile: a learning rate that is stable for one "
            "direction is slow for another.",
            advice="Normalize inputs and layers; use momentum or an adaptive optimizer.",
        )
