"""learning-rate-starved: the effective learning rate decays to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import Evidence
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, skill
from keras_l4.rules._statistics import early, late, median

_DECAY = 100.0


class LearningRateStarved(Rule):
    """The effective learning rate decays to nothing, while there is still a gradient.

    What it does: looks for kernels whose effective learning rate, relative to the nominal one, never
        rises, and fell more than a hundredfold since the first step, though the gradient fell by
        less than ten. It warns if the model falls short of half of what could be learned.
    Why it is bad: Adagrad's accumulator only grows; a large early gradient is never forgotten.
    What to do: RMSprop or Adam; a higher learning rate; clipping or scaled inputs, if the first
        gradients were large.
    When it is wrong: a model that has converged needs no rate. It does not see a rate that was
        gone after the very first step, with which it compares.
    Source: Duchi, Hazan, Singer 2011: the rate falls like 1/√t, which needs 10⁴ steps of the
        same gradient for a hundredth. Faster means that the first gradients were out of scale.
    """

    code = "learning-rate-starved"

    def check(self, run: Evidence) -> Iterator[Finding]:
        rates = run.values("effective_learning_rate")[:, run.kernels]
        norms = run.values("gradient_norm")[:, run.kernels]
        if len(rates) < 20 or run.spoiled_at is not None:
            return
        nominal = run.record.block.learning_rate
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = rates / nominal[: len(rates), None]
            decay = relative[0] / median(late(relative))
            never_rises = (np.diff(relative, axis=0) <= 1e-6 * relative[:-1]).all(axis=0)
            alive = median(late(norms)) / median(early(norms))
        starved = np.flatnonzero(never_rises & (decay > _DECAY) & (alive > 1 / np.sqrt(_DECAY)))
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
                "gradient_late_by_early": float(alive[worst]),
                "skill": skill(run),
            },
            explanation=f"The effective learning rate of {run.variables[run.kernels[worst]].path} "
            f"fell {decay[worst]:.2g}-fold and never rises again, while its gradient is alive.",
            advice="Use RMSprop or Adam, whose memory is finite, or a higher learning rate.",
        )
