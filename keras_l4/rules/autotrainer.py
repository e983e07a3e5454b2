"""autotrainer: the cut-offs of AutoTrainer, for comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._published import epoch_values, is_nonfinite, late_norms, published
from keras_l4.rules._statistics import late

_TOOL = "AutoTrainer"


class AutoTrainer(Rule):
    """The cut-offs of AutoTrainer, for comparison.

    What it does: first by last gradient norm below 1e-3 with the first below 1e-4, or above 70;
        NaN or a loss of 1e3; 70 % zero gradients; accuracy that turns by 0.03 in a fifth of the
        epochs; accuracy that moves by less than 0.01, below 0.7, after 30 % of the epochs.
    Why it is bad: see the rules of the default.
    What to do: see the rules of the default.
    When it is wrong: a loss of another scale, another depth, a regression.
    Source: Zhang et al. 2021, "AutoTrainer" (ICSE); numbers are the tool's.
    """

    code = "autotrainer"
    preset = "autotrainer"

    def check(self, run: RunView) -> Iterator[Finding]:
        yield from _gradients(run)
        losses = epoch_values(run, "loss")[-1:]
        if is_nonfinite(run) or not (losses < 1e3).all():
            yield published(run, "exploding-gradient", _TOOL, float(losses.sum()), 1e3)
        yield from _accuracy(run)


def _gradients(run: RunView) -> Iterator[Finding]:
    norms = late_norms(run)
    if len(norms) > 1 and np.isfinite(norms).all():
        ratio = float(norms[0] / norms[-1]) if norms[-1] else np.nan
        if ratio < 1e-3 and norms[0] < 1e-4:
            yield published(run, "vanishing-gradient", _TOOL, ratio, 1e-3)
        if ratio > 70:
            yield published(run, "exploding-gradient", _TOOL, ratio, 70)
    zeros = late(run.values("zero_fraction"))[:, run.kernels]
    share = (
        float(np.average(zeros.mean(axis=0), weights=run.sizes[run.kernels])) if zeros.size else 0
    )
    if share >= 0.7:
        yield published(run, "dead-layer", _TOOL, share, 0.7)


def _accuracy(run: RunView) -> Iterator[Finding]:
    shown = epoch_values(run, "accuracy")
    if len(shown) < 3:
        return
    turns = np.diff(np.sign(np.diff(shown))) != 0
    large = (np.abs(np.diff(shown)) >= 0.03)[1:]
    share = float((turns & large).sum() / len(shown))
    if share >= 0.2:
        yield published(run, "oscillation", _TOOL, share, 0.2)
    after = shown[int(0.3 * len(shown)) :]
    if np.ptp(after) < 0.01 and shown.max() < 0.7:
        yield published(run, "learning-rate-too-low", _TOOL, float(np.ptp(after)), 0.01)
