"""deepdiagnosis: the published thresholds of DeepDiagnosis, for comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._published_thresholds import (
    has_nonfinite_gradients,
    initial_variances,
    last_activation_stats,
    logged_values,
    published_finding,
    smallest_mean_abs_gradient,
)
from keras_l4.rules._run_view import RunView
from keras_l4.rules._statistics import finite_median, last_quarter

_TOOL = "DeepDiagnosis"
# All values are those of the tool.
_MIN_GRADIENT = 1e-7
_MAX_ZERO_FRACTION = 0.7
_MAX_SATURATED_FRACTION = 0.5
_MAX_UPDATE_RATIO = 1e-1
_MIN_UPDATE_RATIO = 1e-5
_MIN_VARIANCE, _MAX_VARIANCE = 1e-5, 10
_PLATEAU_EPOCHS = 5


class DeepDiagnosis(Rule):
    """Applies the published thresholds of DeepDiagnosis, for comparison.

    What it does: reports mean |g| below 1e-7; NaN, or an accuracy of 0; 70 % zero outputs of a
        relu layer; more than half of the sigmoid or tanh outputs saturated; η‖g‖/‖w‖ outside of
        [1e-5, 1e-1]; the same mean loss in five epochs; a variance of initial weights outside of
        [1e-5, 10].
    Why it is bad: see the default rules.
    What to do: see the default rules.
    When it is wrong: the loss has another scale, or the optimizer is not SGD. The tool counts
        pre-activations beyond 5 as saturated; this rule counts derivatives below a tenth.
    Source: Wardat et al. 2022, "DeepDiagnosis" (ICSE); the thresholds are the tool's.
    """

    code = "deepdiagnosis"
    preset = "deepdiagnosis"

    def check(self, run: RunView) -> Iterator[Finding]:
        smallest = smallest_mean_abs_gradient(run)
        if smallest < _MIN_GRADIENT:
            yield published_finding(run, "vanishing-gradient", _TOOL, smallest, _MIN_GRADIENT)
        accuracies = logged_values(run, "accuracy")
        if has_nonfinite_gradients(run) or (len(accuracies) and not accuracies[-1] > 0):
            yield published_finding(run, "nonfinite", _TOOL, np.nan, 0)
        yield from _check_activations(run)
        yield from _check_learning_rate(run)
        losses = logged_values(run, "loss")[-_PLATEAU_EPOCHS:]
        if len(losses) >= _PLATEAU_EPOCHS and np.ptp(losses) == 0:
            yield published_finding(run, "plateau", _TOOL, float(np.ptp(losses)), 0)
        variances = initial_variances(run)
        for variance in [v for v in variances if not _MIN_VARIANCE <= v <= _MAX_VARIANCE][:1]:
            yield published_finding(run, "poor-initialization", _TOOL, variance, _MIN_VARIANCE)


def _check_activations(run: RunView) -> Iterator[Finding]:
    relus = last_activation_stats(run, {"relu"})
    zeros = max((layer.zero_fraction for layer in relus), default=0.0)
    if zeros >= _MAX_ZERO_FRACTION:
        yield published_finding(run, "dead-layer", _TOOL, zeros, _MAX_ZERO_FRACTION)
    sigmoids = last_activation_stats(run, {"sigmoid", "tanh"})
    saturated = max((layer.saturated_fraction for layer in sigmoids), default=0.0)
    if saturated > _MAX_SATURATED_FRACTION:
        yield published_finding(run, "saturated-layer", _TOOL, saturated, _MAX_SATURATED_FRACTION)


def _check_learning_rate(run: RunView) -> Iterator[Finding]:
    rows = run.record.block.rows("weight_norm")
    weights = run.values("weight_norm")
    if not len(weights):
        return
    rate = run.record.block.learning_rate[rows][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = rate * run.values("gradient_norm")[rows] / weights
    ratio = finite_median(last_quarter(ratios)[:, run.kernels])
    if (ratio > _MAX_UPDATE_RATIO).any():
        largest = float(np.nanmax(ratio))
        yield published_finding(run, "learning-rate-too-high", _TOOL, largest, _MAX_UPDATE_RATIO)
    elif (ratio < _MIN_UPDATE_RATIO).any():
        smallest = float(np.nanmin(ratio))
        yield published_finding(run, "learning-rate-too-low", _TOOL, smallest, _MIN_UPDATE_RATIO)
