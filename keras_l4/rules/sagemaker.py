"""sagemaker: the cut-offs of SageMaker Debugger's built-in rules, for comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._published import is_nonfinite, last_answers, mean_abs_gradients, published
from keras_l4.rules._statistics import median

_TOOL = "SageMaker Debugger"


class SageMaker(Rule):
    """The cut-offs of SageMaker Debugger's built-in rules, for comparison.

    What it does: mean |g| below 1e-7; NaN or Inf; more than half of a relu's units dead; half of
        the sigmoids or tanhs saturated; update ratios above 10 or below 1e-8; a loss that is not
        lower after ten steps; variances of initial kernels that differ by more than 10.
    Why it is bad: see the rules of the default.
    What to do: see the rules of the default.
    When it is wrong: another scale of the loss; small batches, whose loss goes up for ten steps.
    Source: Rauschmayr et al. 2021 (MLSys); numbers are the tool's.
    """

    code = "sagemaker"
    preset = "sagemaker"

    def check(self, run: RunView) -> Iterator[Finding]:
        smallest = float(np.nanmin(np.append(mean_abs_gradients(run), np.inf)))
        if smallest < 1e-7:
            yield published(run, "vanishing-gradient", _TOOL, smallest, 1e-7)
        if is_nonfinite(run):
            yield published(run, "exploding-gradient", _TOOL, np.nan, 0)
        yield from _activations(run)
        ratios = median(run.values("update_ratio"))[run.kernels]
        if (ratios > 10).any():
            yield published(run, "learning-rate-too-high", _TOOL, float(np.nanmax(ratios)), 10)
        elif (ratios < 1e-8).any():
            yield published(run, "learning-rate-too-low", _TOOL, float(np.nanmin(ratios)), 1e-8)
        losses = run.batch_loss
        if len(losses) > 20 and not losses[-10:].min() < losses[-20:-10].min():
            yield published(run, "plateau", _TOOL, float(losses[-1]), float(losses[-11]))
        variances = [v.std**2 for v in run.facts.variables if v.fan_in] if run.facts else []
        if len(variances) > 1 and max(variances) > 10 * min(variances):
            ratio = max(variances) / max(min(variances), 1e-30)
            yield published(run, "poor-initialization", _TOOL, ratio, 10)


def _activations(run: RunView) -> Iterator[Finding]:
    dead = max((a.dead_units for a in last_answers(run, {"relu"})), default=0.0)
    if dead > 0.5:
        yield published(run, "dead-layer", _TOOL, dead, 0.5)
    answers = last_answers(run, {"sigmoid", "tanh"})
    saturated = max((a.saturated_fraction for a in answers), default=0.0)
    if saturated > 0.5:
        yield published(run, "saturated-layer", _TOOL, saturated, 0.5)
