"""autotrainer: the published thresholds of AutoTrainer, for comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._published_thresholds import (
    has_nonfinite_gradients,
    late_gradient_norms,
    logged_values,
    published_finding,
)
from keras_l4.rules._run_view import RunView
from keras_l4.rules._statistics import last_quarter

_TOOL = "AutoTrainer"
# All values are those of the tool.
_VANISHING_RATIO = 1e-3
_VANISHING_NORM = 1e-4
_EXPLODING_RATIO = 70
_EXPLODED_LOSS = 1e3
_ZERO_GRADIENT_FRACTION = 0.7
_ACCURACY_SWING = 0.03
_SWING_FRACTION = 0.2
_SLOW_ACCURACY_CHANGE = 0.01
_SLOW_ACCURACY = 0.7
_SLOW_AFTER_FRACTION = 0.3


class AutoTrainer(Rule):
    """Applies the published thresholds of AutoTrainer, for comparison.

    What it does: reports a ratio of the first to the last layer's gradient norm below 1e-3 if the
        first norm is below 1e-4; a ratio above 70; NaN or a loss of 1e3; 70 % zero gradients; an
        accuracy that reverses by 0.03 in a fifth of the epochs; an accuracy below 0.7 that
        changes by less than 0.01 after 30 % of the epochs.
    Why it is bad: see the default rules.
    What to do: see the default rules.
    When it is wrong: the loss has another scale, the model another depth, or it is a regression.
    Source: Zhang et al. 2021, "AutoTrainer" (ICSE); the thresholds are the tool's.
    """

    code = "autotrainer"
    preset = "autotrainer"

    def check(self, run: RunView) -> Iterator[Finding]:
        yield from _check_gradients(run)
        losses = logged_values(run, "loss")[-1:]
        if has_nonfinite_gradients(run) or not (losses < _EXPLODED_LOSS).all():
            loss = float(losses.sum())
            yield published_finding(run, "exploding-gradient", _TOOL, loss, _EXPLODED_LOSS)
        yield from _check_accuracy(run)


def _check_gradients(run: RunView) -> Iterator[Finding]:
    norms = late_gradient_norms(run)
    if len(norms) > 1 and np.isfinite(norms).all():
        ratio = float(norms[0] / norms[-1]) if norms[-1] else np.nan
        if ratio < _VANISHING_RATIO and norms[0] < _VANISHING_NORM:
            yield published_finding(run, "vanishing-gradient", _TOOL, ratio, _VANISHING_RATIO)
        if ratio > _EXPLODING_RATIO:
            yield published_finding(run, "exploding-gradient", _TOOL, ratio, _EXPLODING_RATIO)
    fractions = last_quarter(run.values("zero_fraction"))[:, run.kernels]
    if not fractions.size:
        return
    zeros = float(np.average(fractions.mean(axis=0), weights=run.variable_sizes[run.kernels]))
    if zeros >= _ZERO_GRADIENT_FRACTION:
        yield published_finding(run, "dead-layer", _TOOL, zeros, _ZERO_GRADIENT_FRACTION)


def _check_accuracy(run: RunView) -> Iterator[Finding]:
    accuracies = logged_values(run, "accuracy")
    if len(accuracies) < 3:
        return
    is_reversal = np.diff(np.sign(np.diff(accuracies))) != 0
    is_large = (np.abs(np.diff(accuracies)) >= _ACCURACY_SWING)[1:]
    swings = float((is_reversal & is_large).sum() / len(accuracies))
    if swings >= _SWING_FRACTION:
        yield published_finding(run, "oscillation", _TOOL, swings, _SWING_FRACTION)
    change = float(np.ptp(accuracies[int(_SLOW_AFTER_FRACTION * len(accuracies)) :]))
    if change < _SLOW_ACCURACY_CHANGE and accuracies.max() < _SLOW_ACCURACY:
        yield published_finding(run, "learning-rate-too-low", _TOOL, change, _SLOW_ACCURACY_CHANGE)
