"""learning-rate-too-low: the loss falls, but it would take for ever."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, learned_little, progress, skill

_WAY = 0.3
_OWN_NORM = 1.0
_PACE = 1e-3


class LearningRateTooLow(Rule):
    """The loss falls, but it would take for ever.

    What it does: adds up the update ratios ‖Δw‖/‖w‖ over the run. It warns where no kernel went
        as far as 0.3 of its own norm, nor a thousandth of it per step, though every kernel has a
        gradient on most steps, the model falls short of half of what could be learned, and its
        loss fell by less than half. Up to 1 it is a guess, for a model that does no better than a
        constant while no other rule knows a cause.
    Why it is bad: the weights are still the initial ones.
    What to do: a learning rate ten times as high; more epochs.
    When it is wrong: very wide models learn with small moves, but these learn.
    Source: Chizat, Oyallon, Bach 2019 (lazy training: the way relative to the weights). With less
        than a third of its norm even a straight way leaves a weight vector within 17 degrees of
        where it began. The ratio does not depend on the loss's scale or the method. A thousandth
        per step is the common rule of thumb for a good rate: what goes faster lacks steps.
    """

    code = "learning-rate-too-low"

    def check(self, run: RunView) -> Iterator[Finding]:
        way = run.travel[run.kernels]
        alive = np.median(run.values("gradient_norm")[:, run.kernels] > 0, axis=0) > 0
        if not len(way) or np.isnan(way).any() or not alive.all() or run.spoiled_at is not None:
            return
        gone, fell = float(way.max()), progress(run)
        short = falls_short(run) if gone < _WAY else learned_little(run)
        slow = gone < min(_OWN_NORM, _PACE * run.record.num_steps)
        if not slow or not short or not fell < 0.5:
            return
        rate = float(run.record.block.learning_rate[-1])
        other = "" if run.is_adaptive else ", or an adaptive optimizer"
        yield Finding(
            code=self.code,
            title="The learning rate is too low",
            severity="warning" if _from_scratch(run) else "info",
            layers=(),
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "way_of_weights_in_their_norms": gone,
                "expected_above": _WAY,
                "loss_fell_by_share": fell,
                "steps": run.record.num_steps,
                "steps_to_go_once_its_norm": run.record.num_steps / max(gone, 1e-12),
                "learning_rate": rate,
                "skill": skill(run),
            },
            explanation=f"In {run.record.num_steps} steps no layer's weights went farther than "
            f"{gone:.2g} of their norm, and the loss fell by {fell:.1%}. At this pace it takes "
            f"{run.record.num_steps / max(gone, 1e-12):.2g} steps to go once the norm.",
            advice=f"Try a learning rate of {rate * 10:.1g}{other}.",
        )

    def is_guess(self, finding: Finding) -> bool:
        return float(finding.evidence["way_of_weights_in_their_norms"]) >= _WAY


def _from_scratch(run: RunView) -> bool:
    return run.facts is not None and run.facts.iterations == 0
