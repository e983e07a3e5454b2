"""Tries remedies: replays the steps of a capsule once per remedy, and reports which stay finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies import NotApplicable, Remedy, ReplayContext, registry
from keras_l4.forensics.step_replay import ReplayedStep, replay_steps


@dataclass(frozen=True)
class Trial:
    """Result of replaying the recorded steps under one remedy.

    Attributes:
        remedy: Name of the remedy.
        is_finite: True if all recorded steps stayed finite; None if the remedy is not applicable.
        num_finite: Number of finite steps before the first non-finite one.
        num_steps: Number of steps to replay.
        loss: Loss of the last step alone, not Keras' mean over the epoch; None if that step was not
            reached.
        reason: Why the remedy is not applicable; "" if it is.
    """

    remedy: str
    is_finite: bool | None
    num_finite: int
    num_steps: int
    loss: float | None
    reason: str = ""

    def __str__(self) -> str:
        if self.is_finite is None:
            return f"{self.remedy:<22}  not applicable: {shorten(self.reason, 80)}"
        answer = f"{'yes' if self.is_finite else 'no'}, {self.num_finite} of {self.num_steps} steps"
        loss = "-" if self.loss is None else f"{self.loss:.4g}"
        return f"{self.remedy:<22}  {answer:<20}  {loss}"


def run_trials(context: ReplayContext) -> tuple[Trial, ...]:
    """Tries every registered remedy."""
    return tuple(_run_trial(name, remedy, context) for name, remedy in registry.items())


def format_table(trials: Sequence[Trial]) -> str:
    """Returns a table with one line per trial."""
    return "\n".join([f"{'remedy':<22}  {'all finite':<20}  last loss", *map(str, trials)])


def _run_trial(name: str, remedy: Remedy, context: ReplayContext) -> Trial:
    try:
        with remedy.applied(context) as capsule:
            steps = _finite_steps(context, capsule)
    except NotApplicable as reason:
        return Trial(name, None, 0, 0, None, str(reason))
    except Exception as error:  # A remedy may run the model in a way it was not written for.
        return Trial(name, None, 0, 0, None, " ".join(f"{type(error).__name__}: {error}".split()))
    num_steps = len(capsule.batches)
    is_finite = len(steps) == num_steps
    return Trial(name, is_finite, len(steps), num_steps, steps[-1].loss if is_finite else None)


def _finite_steps(context: ReplayContext, capsule: Capsule) -> list[ReplayedStep]:
    # As if each batch began an epoch, so that the reported loss is that of the step, not a mean.
    metadata = {**capsule.metadata, "epoch_starts": range(len(capsule.batches))}
    steps = []
    for step in replay_steps(context.model, dataclasses.replace(capsule, metadata=metadata)):
        if not step.is_finite:
            break
        steps.append(step)
    return steps
