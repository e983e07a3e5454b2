"""deepdiagnosis: the cut-offs of DeepDiagnosis, for comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._published import (
    epoch_values,
    is_nonfinite,
    last_answers,
    mean_abs_gradients,
    published,
)
from keras_l4.rules._statistics import late, median

_TOOL = "DeepDiagnosis"


class DeepDiagnosis(Rule):
    """The cut-offs of DeepDiagnosis, for comparison.

    What it does: mean |g| below 1e-7; NaN, or an accuracy of 0; 70 % of a relu's outputs at 0;
        half of the sigmoids or tanhs saturated; η‖g‖/‖w‖ outside of [1e-5, 1e-1]; the same mean
        loss in five epochs; variance of initial weights outside of [1e-5, 10].
    Why it is bad: see the rules of the default.
    What to do: see the rules of the default.
    When it is wrong: another scale of the loss, another optimizer than SGD. Where the tool looks
        at pre-activations beyond 5, this looks at derivatives below a tenth.
    Source: Wardat et al. 2022, "DeepDiagnosis" (ICSE); numbers are the tool's.
    """

    code = "deepdiagnosis"
    preset = "deepdiagnosis"

    def check(self, run: RunView) -> Iterator[Finding]:
        smallest = float(np.nanmin(np.append(mean_abs_gradients(run), np.inf)))
        if smallest < 1e-7:
            yield published(run, "vanishing-gradient", _TOOL, smallest, 1e-7)
        accuracies = epoch_values(run, "accuracy")
        if is_nonfinite(run) or (len(accuracies) and not accuracies[-1] > 0):
            yield published(run, "nonfinite", _TOOL, np.nan, 0)
        yield from _activations(run)
        yield from _rates(run)
        losses = epoch_values(run, "loss")
        if len(losses) >= 5 and np.ptp(losses[-5:]) == 0:
            yield published(run, "plateau", _TOOL, float(np.ptp(losses[-5:])), 0)
        variances = [v.std**2 for v in run.facts.variables if v.fan_in] if run.facts else []
        for variance in [v for v in variances if not 1e-5 <= v <= 10][:1]:
            yield published(run, "poor-initialization", _TOOL, variance, 1e-5)


def _activations(run: RunView) -> Iterator[Finding]:
    zeros = max((a.zero_fraction for a in last_answers(run, {"relu"})), default=0.0)
    if zeros >= 0.7:
        yield published(run, "dead-layer", _TOOL, zeros, 0.7)
    answers = last_answers(run, {"sigmoid", "tanh"})
    saturated = max((a.saturated_fraction for a in answers), default=0.0)
    if saturated > 0.5:
        yield published(run, "saturated-layer", _TOOL, saturated, 0.5)


def _rates(run: RunView) -> Iterator[Finding]:
    rows = run.record.block.rows("weight_norm")
    weights = run.values("weight_norm")
    if not len(weights):
        return
    rate = run.record.block.learning_rate[rows][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = rate * run.values("gradient_norm")[rows] / weights
    ratio = median(late(ratios)[:, run.kernels])
    if (ratio > 1e-1).any():
        yield published(run, "learning-rate-too-high", _TOOL, float(np.nanmax(ratio)), 1e-1)
    elif (ratio < 1e-5).any():
        yield published(run, "learning-rate-too-low", _TOOL, float(np.nanmin(ratio)), 1e-5)
