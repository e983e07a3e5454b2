"""sagemaker: the published thresholds of SageMaker Debugger's built-in rules, for comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._published_thresholds import (
    has_nonfinite_gradients,
    initial_variances,
    last_activation_stats,
    published_finding,
    smallest_mean_abs_gradient,
)
from keras_l4.rules._run_view import RunView
from keras_l4.rules._statistics import finite_median

_TOOL = "SageMaker Debugger"
# All values are those of the tool.
_MIN_GRADIENT = 1e-7
_MAX_DEAD_FRACTION = 0.5
_MAX_SATURATED_FRACTION = 0.5
_MAX_UPDATE_RATIO = 10
_MIN_UPDATE_RATIO = 1e-8
_MAX_VARIANCE_RATIO = 10
_LOSS_PATIENCE = 10


class SageMaker(Rule):
    """Applies the published thresholds of SageMaker Debugger's built-in rules, for comparison.

    What it does: reports mean |g| below 1e-7; NaN or Inf; more than half of the units of a relu
        layer dead; more than half of the sigmoid or tanh outputs saturated; update ratios above
        10 or below 1e-8; a loss that does not decrease in ten steps; variances of initial kernels
        that differ by more than a factor of 10.
    Why it is bad: see the default rules.
    What to do: see the default rules.
    When it is wrong: the loss has another scale; with small batches it may rise for ten steps.
    Source: Rauschmayr et al. 2021 (MLSys); the thresholds are the tool's.
    """

    code = "sagemaker"
    preset = "sagemaker"

    def check(self, run: RunView) -> Iterator[Finding]:
        smallest = smallest_mean_abs_gradient(run)
        if smallest < _MIN_GRADIENT:
            yield published_finding(run, "vanishing-gradient", _TOOL, smallest, _MIN_GRADIENT)
        if has_nonfinite_gradients(run):
            yield published_finding(run, "exploding-gradient", _TOOL, np.nan, 0)
        yield from _check_activations(run)
        yield from _check_update_ratios(run)
        recent, before = run.batch_loss[-_LOSS_PATIENCE:], run.batch_loss[:-_LOSS_PATIENCE]
        if len(before) > _LOSS_PATIENCE and not recent.min() < before[-_LOSS_PATIENCE:].min():
            yield published_finding(run, "plateau", _TOOL, float(recent[-1]), float(before[-1]))
        variances = initial_variances(run)
        if len(variances) > 1 and max(variances) > _MAX_VARIANCE_RATIO * min(variances):
            ratio = max(variances) / max(min(variances), 1e-30)
            yield published_finding(run, "poor-initialization", _TOOL, ratio, _MAX_VARIANCE_RATIO)


def _check_activations(run: RunView) -> Iterator[Finding]:
    relus = last_activation_stats(run, {"relu"})
    dead = max((layer.dead_unit_fraction for layer in relus), default=0.0)
    if dead > _MAX_DEAD_FRACTION:
        yield published_finding(run, "dead-layer", _TOOL, dead, _MAX_DEAD_FRACTION)
    sigmoids = last_activation_stats(run, {"sigmoid", "tanh"})
    saturated = max((layer.saturated_fraction for layer in sigmoids), default=0.0)
    if saturated > _MAX_SATURATED_FRACTION:
        yield published_finding(run, "saturated-layer", _TOOL, saturated, _MAX_SATURATED_FRACTION)


def _check_update_ratios(run: RunView) -> Iterator[Finding]:
    ratios = finite_median(run.values("update_ratio"))[run.kernels]
    if (ratios > _MAX_UPDATE_RATIO).any():
        largest = float(np.nanmax(ratios))
        yield published_finding(run, "learning-rate-too-high", _TOOL, largest, _MAX_UPDATE_RATIO)
    elif (ratios < _MIN_UPDATE_RATIO).any():
        smallest = float(np.nanmin(ratios))
        yield published_finding(run, "learning-rate-too-low", _TOOL, smallest, _MIN_UPDATE_RATIO)
