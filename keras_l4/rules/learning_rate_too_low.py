"""learning-rate-too-low: the weights hardly move, and the model underfits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import (
    final_skill,
    is_no_better_than_constant,
    relative_loss_decrease,
    underfits,
)

# Path lengths are in norms of the weights.
_MIN_PATH_LENGTH = 0.3
_MIN_PATH_LENGTH_OF_UNSKILLED = 1.0
_MIN_UPDATE_RATIO = 1e-3
_MAX_LOSS_DECREASE = 0.5


class LearningRateTooLow(Rule):
    """The weights hardly move, and the model underfits.

    What it does: adds up the update ratios ‖Δw‖/‖w‖ over the run. Reports a run in which no kernel
        moved 0.3 of its norm, nor 0.001 of it per step, although each kernel has a gradient on
        most steps, the model underfits (skill below 0.5) and the loss decreased by less than
        half. Up to a path of 1 norm, it requires that the model is no better than a constant
        prediction, and is info if another rule found a cause. It is info if training continued
        from earlier weights.
    Why it is bad: the weights are still close to the initial ones.
    What to do: use ten times the learning rate, or more epochs.
    When it is wrong: very wide models learn with small changes of the weights, but those learn.
    Source: Chizat, Oyallon, Bach 2019 (lazy training) for the path relative to the norm. A path of
        0.3 norms rotates the weights by at most 17 degrees. The ratio is independent of the scale
        of the loss and of the optimizer. An update ratio of 0.001 is the common rule of thumb; a
        run with larger ones needs more steps, not a higher learning rate.
    """

    code = "learning-rate-too-low"

    def check(self, run: RunView) -> Iterator[Finding]:
        if not _has_all_gradients(run) or run.nonfinite_since is not None:
            return
        num_steps = run.record.num_steps
        length = float(run.weight_path_length[run.kernels].max())
        decrease = relative_loss_decrease(run)
        is_slow = length < min(_MIN_PATH_LENGTH_OF_UNSKILLED, _MIN_UPDATE_RATIO * num_steps)
        lacks_skill = underfits if length < _MIN_PATH_LENGTH else is_no_better_than_constant
        if not is_slow or not lacks_skill(run) or not decrease < _MAX_LOSS_DECREASE:
            return
        rate = float(run.record.block.learning_rate[-1])
        alternative = "" if run.has_elementwise_learning_rates else ", or an adaptive optimizer"
        steps_per_norm = num_steps / max(length, 1e-12)
        yield Finding(
            code=self.code,
            title="The learning rate is too low",
            severity="warning" if _is_from_scratch(run) else "info",
            layers=(),
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "weight_path_length": length,
                "expected_above": _MIN_PATH_LENGTH,
                "relative_loss_decrease": decrease,
                "steps": num_steps,
                "steps_per_weight_norm": steps_per_norm,
                "learning_rate": rate,
                "skill": final_skill(run),
            },
            explanation=f"In {num_steps} steps, the weights of every layer moved at most "
            f"{length:.2g} times their norm, and the loss decreased by {decrease:.1%}. At this "
            f"rate it takes {steps_per_norm:.2g} steps to move by one norm.",
            advice=f"Try a learning rate of {rate * 10:.1g}{alternative}.",
        )

    def is_tentative(self, finding: Finding) -> bool:
        return float(finding.evidence["weight_path_length"]) >= _MIN_PATH_LENGTH


def _has_all_gradients(run: RunView) -> bool:
    """Returns True if every kernel has a gradient on most steps and a known path length."""
    lengths = run.weight_path_length[run.kernels]
    norms = run.values("gradient_norm")[:, run.kernels]
    is_usual = np.median(norms > 0, axis=0) > 0
    return bool(len(lengths) and not np.isnan(lengths).any() and is_usual.all())


def _is_from_scratch(run: RunView) -> bool:
    return run.metadata is not None and run.metadata.iterations == 0
