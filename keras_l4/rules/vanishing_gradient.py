"""vanishing-gradient: the gradient decreases from the last layers to the first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, is_no_better_than_constant, underfits
from keras_l4.rules._statistics import finite_median, last_quarter, log_slope

_MAX_TOTAL_FACTOR = 100.0
_MIN_KERNELS = 3


class VanishingGradient(Rule):
    """The gradient decreases from the last layers to the first.

    What it does: fits log ‖g‖/‖w‖ of the kernels over depth (Theil–Sen). Reports a fit that
        decreases towards the input by more than a factor of 100 in total, with a confidence
        interval that excludes a constant gradient. It is a warning if the model is no better than
        a constant prediction, or if the factor is above 100² and the model underfits (skill below
        0.5), otherwise info.
    Why it is bad: the first layers keep their initial weights, or noise dominates their updates.
    What to do: use relu-like activations, He or Glorot initialization, normalization or residual
        connections.
    When it is wrong: parallel branches are treated as a sequence; the model may fail for another
        reason.
    Source: Hochreiter 1991; Glorot & Bengio 2010. A sigmoid layer passes at most a quarter of the
        gradient. With a factor of 100, the first layer moves by a hundredth of its norm while
        the last one moves by its norm, which has no effect. ‖g‖/‖w‖ is comparable between
        layers, and the factor is independent of the scale of the loss and the batch size.
    """

    code = "vanishing-gradient"

    def check(self, run: RunView) -> Iterator[Finding]:
        profile = _relative_gradients(run)
        if len(profile) < _MIN_KERNELS or not (profile > 0).any():
            return
        slope, low, _ = log_slope(profile)
        total = float(np.exp(slope * (len(profile) - 1)))
        if low <= 0 or total < _MAX_TOTAL_FACTOR:
            return
        is_extreme = total > _MAX_TOTAL_FACTOR**2
        is_harmful = is_no_better_than_constant(run) or (is_extreme and underfits(run))
        yield Finding(
            code=self.code,
            title="The gradient vanishes towards the first layers",
            severity="warning" if is_harmful else "info",
            layers=run.layer_names(run.kernels[profile < profile[-1] / _MAX_TOTAL_FACTOR]),
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "factor_per_layer": float(np.exp(-slope)),
                "factor_per_layer_at_most": float(np.exp(-low)),
                "first_to_last_layer": 1 / total,
                "num_layers": len(profile),
                "skill": final_skill(run),
            },
            explanation=f"‖g‖/‖w‖ is multiplied by {np.exp(-slope):.2g} per layer towards the "
            f"input, and by {1 / total:.1g} over {len(profile)} layers"
            + ("; the model underfits." if is_harmful else "; the model learns nevertheless."),
            advice="Use relu-like activations with He initialization, add normalization or "
            "residual connections, or remove layers.",
        )


def _relative_gradients(run: RunView) -> np.ndarray:
    """`float64[kernels]`: median ‖g‖/‖w‖ in the last quarter of the run, in forward order."""
    gradients = finite_median(last_quarter(run.values("gradient_norm")))[run.kernels]
    weights = finite_median(last_quarter(run.values("weight_norm")))[run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(gradients / weights, nan=0.0, posinf=0.0)
