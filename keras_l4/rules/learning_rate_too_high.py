"""learning-rate-too-high: weights are thrown about, and the loss goes up or nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, learned_little, progress, skill
from keras_l4.rules._statistics import late, median

_RISE = 2.0
_FAR = 10.0
_GUESS = 3.0


class LearningRateTooHigh(Rule):
    """Weights are thrown about, and the loss goes up or nowhere.

    What it does: reports (1) a loss that ends at twice its start or more, or in NaN after it
        rose so; (2) weights that, over the second half of the run, go more than ten times
        their own norm, without the loss coming down any more, in a model that falls short of half
        of what could be learned. From three times on it is a guess, for a model that does no
        better than a constant while no other rule knows a cause.
    Why it is bad: the steps are longer than the valley is wide.
    What to do: a tenth of the learning rate; warm-up; clipping; less momentum.
    When it is wrong: losses that rise by intention; labels that cannot be learned.
    Source: Cohen et al. 2021: beyond 2/η steps overshoot. A loss that starts at initial weights
        and doubles has not descended. A weight vector that goes ten times its norm could have
        been anywhere; that it is not better off means it walks to and fro. Neither depends on
        the loss's scale, the batch size, or the method.
    """

    code = "learning-rate-too-high"

    def check(self, run: RunView) -> Iterator[Finding]:
        found = _diverged(run) or _restless(run)
        if found is not None:
            yield found

    def is_guess(self, finding: Finding) -> bool:
        way = finding.evidence.get("way_of_weights_in_their_norms", np.inf)
        return float(way) < _FAR


def _diverged(run: RunView) -> Finding | None:
    losses, start = run.batch_loss, _start(run)
    above = np.flatnonzero(np.abs(losses) > _RISE * start)
    if run.spoiled_at is not None:
        ends_high = len(losses) > 1 and losses[-1] > _RISE * start
    else:
        ends_high = len(losses) >= 8 and float(np.median(late(losses))) > _RISE * start
    if not ends_high or not len(above):
        return None
    end = float(losses[-1])
    return _finding(
        run,
        int(run.steps[np.isfinite(run.record.batch_loss)][above[0]]),
        "The loss diverges",
        {"loss_at_start": start, "loss_at_end": end, "ratio_expected_below": _RISE},
        f"The loss rose from {start:.3g} to {end:.3g}"
        + (", and then to NaN or Inf." if run.spoiled_at is not None else "."),
        "error",
    )


def _start(run: RunView) -> float:
    """What there was to lose: the first losses, or that of a constant if it is larger."""
    targets = None if run.facts is None else run.facts.targets
    trivial = np.nan if targets is None else targets.trivial_loss
    first = np.abs(run.batch_loss[: max(1, min(5, len(run.batch_loss) // 8))])
    return float(np.fmax.reduce([*first[:1], *median(first[:, None]), trivial]))


def _restless(run: RunView) -> Finding | None:
    windows = run.loss_windows
    travel = run.travel[run.kernels]
    if len(windows) < 6 or not len(travel) or not falls_short(run):
        return None
    second = windows[len(windows) // 2 :]
    fell = second[0] - second[-1]
    restless = float(np.fmax.reduce(travel)) / 2
    least = _GUESS if learned_little(run) else _FAR
    if np.isnan(restless) or restless < least or fell > 0.05 * abs(second[0]):
        return None
    return _finding(
        run,
        int(run.steps[len(run.steps) // 2]),
        "The weights go far, and the loss gets nowhere",
        {
            "way_of_weights_in_their_norms": restless,
            "expected_below": _FAR,
            "loss_fell_by": float(fell),
            "progress": progress(run),
            "skill": skill(run),
        },
        f"In the second half of the run the weights went {restless:.1f} times their own norm, "
        f"while the loss went from {second[0]:.3g} to {second[-1]:.3g}.",
        "warning",
    )


def _finding(
    run: RunView,
    step: int,
    title: str,
    evidence: dict[str, float | int | str],
    what: str,
    severity: str,
) -> Finding:
    rate = float(run.record.block.learning_rate[-1])
    return Finding(
        code="learning-rate-too-high",
        title=title,
        severity="error" if severity == "error" else "warning",
        layers=(),
        first_step=step,
        last_step=run.last_step,
        evidence={"learning_rate": rate, **evidence},
        explanation=what,
        advice=f"Try a learning rate of {rate / 10:.1g}, less momentum, or clipping; scale inputs "
        "and targets.",
    )
