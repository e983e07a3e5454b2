"""oscillation: the loss goes to and fro."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, skill
from keras_l4.rules._statistics import ups_and_downs

_LEAST = 0.01


class Oscillation(Rule):
    """The loss goes to and fro.

    What it does: adds up the rises and the falls of the epochs' losses (of parts of the run, if
        it has few epochs) after the first third. It reports where rises undo at least half of
        the falls and a rise is, on the average, at least a hundredth of the loss of a constant
        prediction (of the first loss, if that is not known), in the last third, too: what rang
        and settled is over. It is a warning if the model falls short of half of what could be
        learned, or the rises are three times as large. Parts of a run have other batches each:
        the rise that these alone can make is taken off.
    Why it is bad: what one epoch gains, the next one loses.
    What to do: a lower learning rate, or a schedule that lowers it; larger batches.
    When it is wrong: adversarial training, where it is normal; data that differs from epoch to
        epoch.
    Source: over a whole epoch the data is the same, so that its mean loss changes only because
        the weights do. Means of n batches with spread s rise by s / √(πn) on the average, and a
        mean of a dozen rises stays below twice that (95 %). A hundredth is what would be seen on
        a plot from nothing learned to nothing left.
    """

    code = "oscillation"

    def check(self, run: RunView) -> Iterator[Finding]:
        losses, noise = _losses(run)
        later = losses[len(losses) // 3 :]
        if run.spoiled_at is not None or len(later) < 4 or not losses[0]:
            return
        ups, downs = ups_and_downs(later)
        rises = np.array([_mean_rise(later), _mean_rise(_end_of(losses))])
        share, at_end = (rises - noise) / _reference(run, losses)
        if ups < 0.5 * downs or min(share, at_end) < _LEAST:
            return
        short = falls_short(run) or share >= 3 * _LEAST
        yield Finding(
            code=self.code,
            title="The loss goes to and fro",
            severity="warning" if short else "info",
            layers=(),
            first_step=int(run.steps[len(run.steps) // 3]),
            last_step=run.last_step,
            evidence={
                "sum_of_rises": ups,
                "sum_of_falls": downs,
                "mean_rise_by_trivial_loss": float(share),
                "expected_below": _LEAST,
                "skill": skill(run),
            },
            explanation=f"After the first third of the run the loss rose by {ups:.3g} and fell by "
            f"{downs:.3g} in all: most of what is gained is lost again.",
            advice="Lower the learning rate, or let a schedule do it; try larger batches.",
        )


def _end_of(losses: np.ndarray) -> np.ndarray:
    """The last third; of few losses, four."""
    return losses[-max(4, len(losses) // 3) :]


def _mean_rise(losses: np.ndarray) -> float:
    return ups_and_downs(losses)[0] / (len(losses) - 1)


def _reference(run: RunView, losses: np.ndarray) -> float:
    """The loss of a constant prediction, or else the first one."""
    targets = None if run.facts is None else run.facts.targets
    trivial = np.nan if targets is None else targets.trivial_loss
    return abs(float(losses[0])) if np.isnan(trivial) or not trivial else float(trivial)


def _losses(run: RunView) -> tuple[np.ndarray, float]:
    """Losses of the epochs, or of parts of the run, and the mean rise that batches alone can make."""
    epochs = np.array([logs.logs.get("loss", np.nan) for logs in run.epochs])
    if len(epochs) >= 6 and np.isfinite(epochs).all():
        return epochs, 0.0
    if len(run.batch_loss) < 200:
        return np.empty(0), 0.0
    return run.loss_windows, _rise_of_noise(np.array_split(run.batch_loss, len(run.loss_windows)))


def _rise_of_noise(parts: list[np.ndarray]) -> float:
    # From one batch to the next, weights hardly differ.
    spreads = [np.diff(part).std() / np.sqrt(2 * np.pi * len(part)) for part in parts]
    return 2 * float(np.median(spreads))
