"""learning-rate-too-high: the loss diverges, or the weights move far without progress."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding, Severity
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import (
    final_skill,
    is_no_better_than_constant,
    relative_loss_decrease,
    underfits,
)
from keras_l4.rules._statistics import finite_median, last_quarter

_MAX_LOSS_RISE = 2.0
# Path length over the whole run, in norms of the weights.
_MAX_PATH_LENGTH = 20.0
_MAX_PATH_LENGTH_OF_UNSKILLED = 6.0
# A loss that decreases by less than this in the second half of the run makes no progress.
_MIN_LOSS_DECREASE = 0.05
_MIN_LOSSES = 8
_MIN_LOSS_WINDOWS = 6


class LearningRateTooHigh(Rule):
    """The loss diverges, or the weights move far without decreasing the loss.

    What it does: reports (1) a loss that ends at twice the baseline or more, or that does so
        before it becomes NaN, where the baseline is the larger of the initial loss and the loss
        of the best constant prediction; (2) weights that move more than 20 times their norm over
        the run while the loss decreases by less than 5 % in its second half, in a model that
        underfits (skill below 0.5). Between 6 and 20 times the norm, it requires that the model
        is no better than a constant prediction, and is info if another rule found a cause.
    Why it is bad: the steps overshoot the minimum.
    What to do: use a tenth of the learning rate, warm-up, gradient clipping or less momentum.
    When it is wrong: the loss rises by design, or the labels cannot be learned.
    Source: Cohen et al. 2021: steps overshoot if the curvature exceeds 2/η. Weights that moved 20
        times their norm could have reached any point; if the loss has not decreased, they
        oscillate. Both criteria are independent of the scale of the loss, the batch size and the
        optimizer.
    """

    code = "learning-rate-too-high"

    def check(self, run: RunView) -> Iterator[Finding]:
        finding = _check_divergence(run) or _check_path_length(run)
        if finding is not None:
            yield finding

    def is_tentative(self, finding: Finding) -> bool:
        return float(finding.evidence.get("weight_path_length", np.inf)) < _MAX_PATH_LENGTH


def _check_divergence(run: RunView) -> Finding | None:
    losses, baseline = run.batch_loss, _baseline_loss(run)
    high = np.flatnonzero(np.abs(losses) > _MAX_LOSS_RISE * baseline)
    if run.nonfinite_since is not None:
        ends_high = len(losses) > 1 and losses[-1] > _MAX_LOSS_RISE * baseline
    else:
        late_loss = float(np.median(last_quarter(losses))) if len(losses) >= _MIN_LOSSES else 0.0
        ends_high = late_loss > _MAX_LOSS_RISE * baseline
    if not ends_high or not len(high):
        return None
    end = float(losses[-1])
    return _finding(
        run,
        int(run.steps[np.isfinite(run.record.batch_loss)][high[0]]),
        "The loss diverges",
        {
            "loss_at_start": baseline,
            "loss_at_end": end,
            "ratio_expected_below": _MAX_LOSS_RISE,
        },
        f"The loss rose from {baseline:.3g} to {end:.3g}"
        + (" and then became NaN or Inf." if run.nonfinite_since is not None else "."),
        "error",
    )


def _baseline_loss(run: RunView) -> float:
    """Returns the larger of the initial loss and the loss of the best constant prediction."""
    first = np.abs(run.batch_loss[: max(1, min(5, len(run.batch_loss) // 8))])
    candidates = [*first[:1], *finite_median(first[:, None]), run.trivial_loss]
    return float(np.fmax.reduce(candidates))


def _check_path_length(run: RunView) -> Finding | None:
    windows = run.loss_windows
    lengths = run.weight_path_length[run.kernels]
    if len(windows) < _MIN_LOSS_WINDOWS or not len(lengths) or not underfits(run):
        return None
    second_half = windows[len(windows) // 2 :]
    decrease = second_half[0] - second_half[-1]
    length = float(np.fmax.reduce(lengths))
    is_unskilled = is_no_better_than_constant(run)
    limit = _MAX_PATH_LENGTH_OF_UNSKILLED if is_unskilled else _MAX_PATH_LENGTH
    makes_progress = decrease > _MIN_LOSS_DECREASE * abs(second_half[0])
    if np.isnan(length) or length < limit or makes_progress:
        return None
    return _finding(
        run,
        int(run.steps[len(run.steps) // 2]),
        "The weights move far without decreasing the loss",
        {
            "weight_path_length": length,
            "expected_below": limit,
            "loss_decrease": float(decrease),
            "relative_loss_decrease": relative_loss_decrease(run),
            "skill": final_skill(run),
        },
        f"The weights moved {length:.1f} times their norm over the run, while in its second half "
        f"the loss changed from {second_half[0]:.3g} to {second_half[-1]:.3g}.",
        "warning",
    )


def _finding(
    run: RunView,
    first_step: int,
    title: str,
    evidence: dict[str, float | int | str],
    explanation: str,
    severity: Severity,
) -> Finding:
    rate = float(run.record.block.learning_rate[-1])
    return Finding(
        code="learning-rate-too-high",
        title=title,
        severity=severity,
        layers=(),
        first_step=first_step,
        last_step=run.last_step,
        evidence={"learning_rate": rate, **evidence},
        explanation=explanation,
        advice=f"Try a learning rate of {rate / 10:.1g}, less momentum, or gradient clipping; scale "
        "inputs and targets.",
    )
