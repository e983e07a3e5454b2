"""Trials: the steps of a capsule, run again with one change each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies import DoesNotApply, Remedy, ReplayContext, registry
from keras_l4.forensics.rerun import Rerun, rerun


@dataclass(frozen=True)
class Trial:
    """What came of one change.

    Attributes:
        change: What was changed.
        survived: Whether every number stayed finite, in all recorded steps; None where the change
            does not apply.
        num_finite: Steps that were finite from the first one on.
        num_steps: Steps that there were to run.
        loss: That of the last of them alone, not Keras' mean over the epoch; None where it did not
            get there.
        remark: Why it does not apply; "" where it does.
    """

    change: str
    survived: bool | None
    num_finite: int
    num_steps: int
    loss: float | None
    remark: str = ""

    def __str__(self) -> str:
        if self.survived is None:
            return f"{self.change:<22}  left out: {shorten(self.remark, 80)}"
        course = f"{'yes' if self.survived else 'no'}, {self.num_finite} of {self.num_steps} steps"
        return (
            f"{self.change:<22}  {course:<20}  {'-' if self.loss is None else f'{self.loss:.4g}'}"
        )


def tried(patient: ReplayContext) -> tuple[Trial, ...]:
    """A trial of each remedy."""
    return tuple(_tried(name, remedy, patient) for name, remedy in registry().items())


def table(trials: Sequence[Trial]) -> str:
    """One line for each, below a heading."""
    return "\n".join([f"{'what if':<22}  {'all finite':<20}  last loss", *map(str, trials)])


def _tried(name: str, remedy: Remedy, patient: ReplayContext) -> Trial:
    try:
        with remedy.given(patient) as capsule:
            steps = _finite(patient, capsule)
    except DoesNotApply as why:
        return Trial(name, None, 0, 0, None, str(why))
    except (
        Exception
    ) as error:  # Whatever a model raises that is run otherwise than it was made for.
        return Trial(name, None, 0, 0, None, " ".join(f"{type(error).__name__}: {error}".split()))
    num_steps = len(capsule.batches)
    survived = len(steps) == num_steps
    return Trial(name, survived, len(steps), num_steps, steps[-1].loss if survived else None)


def _finite(patient: ReplayContext, capsule: Capsule) -> list[Rerun]:
    # As if each step began an epoch: its own loss is wanted, not a mean.
    alone = {**capsule.about, "epochs_begin": range(len(capsule.batches))}
    steps = []
    for step in rerun(patient.model, dataclasses.replace(capsule, about=alone)):
        if not step.is_finite:
            break
        steps.append(step)
    return steps
