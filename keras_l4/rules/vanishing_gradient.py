"""vanishing-gradient: the gradient fades on its way to the first layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, learned_little, skill
from keras_l4.rules._statistics import late, log_slope, median

_TOTAL = 100.0


class VanishingGradient(Rule):
    """The gradient fades on its way to the first layers.

    What it does: fits log ‖g‖/‖w‖ of the kernels over depth (Theil–Sen, with its confidence
        interval). It warns where the fit falls towards the input by more than 100 in all, its
        whole interval falls, and the model does no better than a constant prediction; or by more
        than 100², and it falls short of half of what could be learned; else it is a note.
    Why it is bad: the first layers stay as they were initialized, or are moved by noise.
    What to do: relu-like activations, He or Glorot initialization, normalization, residual
        connections.
    When it is wrong: parallel branches are put in one row; a model may fail for another reason.
    Source: Hochreiter 1991; Glorot & Bengio 2010. A layer of sigmoids passes at most a quarter of
        the gradient. 100 in all: over a run in which the last layer moves by its own norm, the
        first moves by a hundredth, which changes nothing. Ratios do not depend on the loss's
        scale, the batch size, or the norm's number of elements.
    """

    code = "vanishing-gradient"

    def check(self, run: RunView) -> Iterator[Finding]:
        profile = _profile(run)
        if len(profile) < 3 or not (profile > 0).any():
            return
        slope, low, _ = log_slope(profile)
        total = float(np.exp(slope * (len(profile) - 1)))
        if low <= 0 or total < _TOTAL:
            return
        bad = learned_little(run) or (total > _TOTAL**2 and falls_short(run))
        yield Finding(
            code=self.code,
            title="The gradient fades towards the first layers",
            severity="warning" if bad else "info",
            layers=run.layers_of(run.kernels[profile < profile[-1] / _TOTAL]),
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "factor_per_layer": float(np.exp(-slope)),
                "factor_per_layer_at_most": float(np.exp(-low)),
                "first_to_last_layer": 1 / total,
                "num_layers": len(profile),
                "skill": skill(run),
            },
            explanation=f"From layer to layer ‖g‖/‖w‖ falls to {np.exp(-slope):.2g} of itself, "
            f"to {1 / total:.1g} over {len(profile)} layers"
            + (", and the model hardly learns." if bad else "; it learns still."),
            advice="Use relu-like activations with He initialization, add normalization or "
            "residual connections, or take layers away.",
        )


def _profile(run: RunView) -> np.ndarray:
    """Late median of ‖g‖/‖w‖ per kernel, in forward order."""
    gradients = median(late(run.values("gradient_norm")))[run.kernels]
    weights = median(late(run.values("weight_norm")))[run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(gradients / weights, nan=0.0, posinf=0.0)
