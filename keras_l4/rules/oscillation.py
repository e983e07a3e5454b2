"""oscillation: the loss rises almost as much as it falls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, underfits
from keras_l4.rules._statistics import sum_rises_and_falls

_MIN_MEAN_RISE = 0.01
_MIN_RISE_TO_FALL = 0.5
_LARGE_RISE_FACTOR = 3
_MIN_EPOCHS = 6
_MIN_BATCHES = 200
_MIN_LOSSES = 4


class Oscillation(Rule):
    """The loss rises almost as much as it falls.

    What it does: adds up the increases and the decreases of the epochs' losses after the first
        third of the run (of equal parts of the run, if it has fewer than six epochs). Reports
        a run whose increases are at least half of the decreases, and whose mean increase is at
        least 1 % of the loss of a constant prediction (of the first loss, if that is unknown),
        also in the last third, so that an oscillation that has decayed is ignored. It is a
        warning if the model underfits (skill below 0.5) or the mean increase is above 3 %,
        otherwise info. The batches of the parts of a run differ: the increase that this alone
        can cause is subtracted.
    Why it is bad: the progress of one epoch is lost in the next.
    What to do: lower the learning rate, or use a schedule that does; use larger batches.
    When it is wrong: adversarial training oscillates normally; the data may differ between epochs.
    Source: an epoch covers the same data each time, so its mean loss changes only because the
        weights change. Means of n batches with standard deviation s increase by s / √(πn) on
        average, and the mean of a dozen increases stays below twice that (95 %). An increase of
        1 % is the smallest that is visible in a plot.
    """

    code = "oscillation"

    def check(self, run: RunView) -> Iterator[Finding]:
        losses, noise = _losses(run)
        later = losses[len(losses) // 3 :]
        if run.nonfinite_since is not None or len(later) < _MIN_LOSSES or not losses[0]:
            return
        rises, falls = sum_rises_and_falls(later)
        mean_rises = np.array([_mean_rise(later), _mean_rise(_last_third(losses))])
        share, share_at_end = (mean_rises - noise) / _reference_loss(run, losses)
        if rises < _MIN_RISE_TO_FALL * falls or min(share, share_at_end) < _MIN_MEAN_RISE:
            return
        is_harmful = underfits(run) or share >= _LARGE_RISE_FACTOR * _MIN_MEAN_RISE
        yield Finding(
            code=self.code,
            title="The loss oscillates",
            severity="warning" if is_harmful else "info",
            layers=(),
            first_step=int(run.steps[len(run.steps) // 3]),
            last_step=run.last_step,
            evidence={
                "sum_of_rises": rises,
                "sum_of_falls": falls,
                "mean_rise_relative_to_trivial_loss": float(share),
                "expected_below": _MIN_MEAN_RISE,
                "skill": final_skill(run),
            },
            explanation=f"After the first third of the run, all increases of the loss add up to "
            f"{rises:.3g} and all decreases to {falls:.3g}: most of the progress is lost again.",
            advice="Lower the learning rate, or use a schedule that does; try larger batches.",
        )


def _last_third(losses: np.ndarray) -> np.ndarray:
    """Returns the last third of the losses, at least four."""
    return losses[-max(_MIN_LOSSES, len(losses) // 3) :]


def _mean_rise(losses: np.ndarray) -> float:
    return sum_rises_and_falls(losses)[0] / (len(losses) - 1)


def _reference_loss(run: RunView, losses: np.ndarray) -> float:
    """Returns the loss of a constant prediction, or the first loss if that is unknown."""
    trivial = run.trivial_loss
    return abs(float(losses[0])) if np.isnan(trivial) or not trivial else float(trivial)


def _losses(run: RunView) -> tuple[np.ndarray, float]:
    """Returns the losses of epochs or parts of the run, and the mean rise that is only noise."""
    epochs = np.array([logs.logs.get("loss", np.nan) for logs in run.epoch_logs])
    if len(epochs) >= _MIN_EPOCHS and np.isfinite(epochs).all():
        return epochs, 0.0
    if len(run.batch_loss) < _MIN_BATCHES:
        return np.empty(0), 0.0
    parts = np.array_split(run.batch_loss, len(run.loss_windows))
    return run.loss_windows, _mean_rise_by_noise(parts)


def _mean_rise_by_noise(parts: list[np.ndarray]) -> float:
    # The weights hardly differ between consecutive batches, so the standard deviation of their
    # difference is √2 times that of a batch, with s / √(πn) as in the docstring of the rule.
    rises = [np.diff(part).std() / np.sqrt(2 * np.pi * len(part)) for part in parts]
    return 2 * float(np.median(rises))
