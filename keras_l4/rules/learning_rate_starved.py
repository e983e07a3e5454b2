"""learning-rate-starved: the effective learning rate decays to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, skill
from keras_l4.rules._statistics import early, late, median

_DECAY = 100.0
_ALIVE = 1 / np.sqrt(_DECAY)


class LearningRateStarved(Rule):
    """The effective learning rate decays to nothing, while there is still a gradient.

    What it does: looks for kernels whose gradient fell by less than ten while their rate never rose
        and fell more than a hundredfold: either the effective rate relative to the nominal one,
        from the first step to the end, or the nominal one, which a schedule sets, by half of the
        run. It warns if the model falls short of half of what could be learned.
    Why it is bad: Adagrad's accumulator only grows; a large early gradient is never forgotten. A
        schedule that counts steps where epochs were meant ends before the training does.
    What to do: RMSprop or Adam; a higher learning rate; clipping or scaled inputs, if the first
        gradients were large. A slower schedule.
    When it is wrong: a model that has converged needs no rate. It does not see a rate that was
        gone after the very first step, with which it compares.
    Source: Duchi, Hazan, Singer 2011: the rate falls like 1/√t, which needs 10⁴ steps of the
        same gradient for a hundredth. Faster means that the first gradients were out of scale.
        Of a schedule: half of the run is made with less than a hundredth.
    """

    code = "learning-rate-starved"

    def check(self, run: RunView) -> Iterator[Finding]:
        if len(run.values("effective_learning_rate")) < 20 or run.spoiled_at is not None:
            return
        decay = _decay(run)
        starved = np.flatnonzero(_is_alive(run) & (decay > _DECAY))
        if not len(starved):
            return
        worst = starved[np.argmax(decay[starved])]
        yield Finding(
            code=self.code,
            title="The effective learning rate is starved",
            severity="warning" if falls_short(run) else "info",
            layers=run.layers_of(run.kernels[starved]),
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "rate_fell_by_factor": float(decay[worst]),
                "expected_below": _DECAY,
                "by_half_of_the_schedule": _of_schedule(run),
                "skill": skill(run),
            },
            explanation=f"The effective learning rate of {run.variables[run.kernels[worst]].path} "
            f"fell {_how_far(decay[worst])} and never rises again, while its gradient is alive.",
            advice="Use a slower schedule."
            if _of_schedule(run) > _DECAY
            else "Use RMSprop or Adam, whose memory is finite, or a higher learning rate.",
        )


def _decay(run: RunView) -> np.ndarray:
    """`float64[kernels]`: how far each rate fell, 1 for one that rose."""
    rates = run.values("effective_learning_rate")[:, run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = rates / run.record.block.learning_rate[: len(rates), None]
        fell = relative[0] / median(late(relative))
    return np.maximum(np.where(_never_rises(relative), fell, 1.0), _of_schedule(run))


def _of_schedule(run: RunView) -> float:
    """How far the nominal rate fell by half of the run: 1 if it rose, Inf if nothing is left."""
    rate = run.record.block.learning_rate
    if not _never_rises(rate[:, None]):
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nan_to_num(rate[0] / rate[len(rate) // 2], nan=1.0, posinf=np.inf))


def _how_far(decay: float) -> str:
    return f"{decay:.2g}-fold" if np.isfinite(decay) else "to 0"


def _never_rises(rates: np.ndarray) -> np.ndarray:
    """`bool[columns]`."""
    falls: np.ndarray = np.diff(rates, axis=0) <= 1e-6 * rates[:-1]
    return np.all(falls, axis=0)


def _is_alive(run: RunView) -> np.ndarray:
    """`bool[kernels]`: whether there is still a gradient."""
    norms = run.values("gradient_norm")[:, run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        return median(late(norms)) / median(early(norms)) > _ALIVE
