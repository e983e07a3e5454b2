"""learning-rate-starved: the effective learning rate decays to almost 0."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, underfits
from keras_l4.rules._statistics import finite_median, first_quarter, last_quarter

_MAX_DECAY = 100.0
# A gradient that decays less than this, while the learning rate decays by `_MAX_DECAY`, is not
# the reason for the small updates.
_MAX_GRADIENT_DECAY = 10.0
_MIN_SAMPLES = 20
# The effective learning rate is recorded in float32, hence a constant one may rise by rounding.
_ROUNDING = 1e-6


class LearningRateStarved(Rule):
    """The effective learning rate decays to almost 0 while there is still a gradient.

    What it does: reports kernels whose gradient decreased by less than a factor of 10 while their
        learning rate never rose and decreased by more than a factor of 100: either the effective
        learning rate relative to the nominal one, from the first step to the end, or the nominal
        one (a schedule) within the first half of the run. It is a warning if the model underfits
        (skill below 0.5), otherwise info.
    Why it is bad: Adagrad's accumulator never decreases, so a large early gradient reduces the
        learning rate permanently. A schedule that counts steps instead of epochs ends too early.
    What to do: use RMSprop or Adam, a higher learning rate, or a slower schedule. Clip the gradient
        or scale the inputs if the first gradients were large.
    When it is wrong: a converged model needs no learning rate. The rule compares with the first
        step, so it misses a learning rate that decayed within that step.
    Source: Duchi, Hazan, Singer 2011: Adagrad's learning rate decays like 1/√t, i.e. by 100 after
        10⁴ steps of equal gradients. A faster decay means that the first gradients were too large.
        A schedule that decays by 100 in half of the run leaves the other half without training.
    """

    code = "learning-rate-starved"

    def check(self, run: RunView) -> Iterator[Finding]:
        is_short = len(run.values("effective_learning_rate")) < _MIN_SAMPLES
        if is_short or run.nonfinite_since is not None:
            return
        decay, schedule_decay = _decay(run), _schedule_decay(run)
        starved = np.flatnonzero(_has_gradient(run) & (decay > _MAX_DECAY))
        if not len(starved):
            return
        worst = starved[np.argmax(decay[starved])]
        yield Finding(
            code=self.code,
            title="The effective learning rate has decayed to almost 0",
            severity="warning" if underfits(run) else "info",
            layers=run.layer_names(run.kernels[starved]),
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "decay_factor": float(decay[worst]),
                "expected_below": _MAX_DECAY,
                "schedule_decay_in_first_half": schedule_decay,
                "skill": final_skill(run),
            },
            explanation=f"The effective learning rate of {run.variables[run.kernels[worst]].path} "
            f"{_describe(decay[worst])} and never rose, while the gradient persists.",
            advice="Use a slower schedule."
            if schedule_decay > _MAX_DECAY
            else "Use RMSprop or Adam, which average recent gradients, or a higher learning rate.",
        )


def _decay(run: RunView) -> np.ndarray:
    """`float64[kernels]`: factor by which each learning rate decayed; 1 if it ever rose."""
    rates = run.values("effective_learning_rate")[:, run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = rates / run.record.block.learning_rate[: len(rates), None]
        decay = relative[0] / finite_median(last_quarter(relative))
    return np.maximum(np.where(_never_rises(relative), decay, 1.0), _schedule_decay(run))


def _schedule_decay(run: RunView) -> float:
    """Returns the decay of the nominal rate in the first half: 1 if it ever rose, Inf if to 0."""
    rate = run.record.block.learning_rate
    if not _never_rises(rate[:, None]):
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nan_to_num(rate[0] / rate[len(rate) // 2], nan=1.0, posinf=np.inf))


def _describe(decay: float) -> str:
    return f"decayed by a factor of {decay:.2g}" if np.isfinite(decay) else "decayed to 0"


def _never_rises(rates: np.ndarray) -> np.ndarray:
    """`bool[columns]`: True if no value exceeds its predecessor."""
    never_rises: np.ndarray = np.diff(rates, axis=0) <= _ROUNDING * rates[:-1]
    return np.all(never_rises, axis=0)


def _has_gradient(run: RunView) -> np.ndarray:
    """`bool[kernels]`: True if the gradient at the end is not small relative to the start."""
    norms = run.values("gradient_norm")[:, run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = finite_median(last_quarter(norms)) / finite_median(first_quarter(norms))
    return ratio > 1 / _MAX_GRADIENT_DECAY
