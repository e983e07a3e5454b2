"""wrong-output-or-loss: output, loss and targets that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._mismatch import Mismatch
from keras_l4.rules._mismatches import mismatches
from keras_l4.rules._outcome import LITTLE, is_a_try, progress, skill


class WrongOutputOrLoss(Rule):
    """Output, loss and targets that do not fit together.

    What it does: compares the output's activation and width with the loss and a sample of the
        targets: softmax over one unit, targets beyond the activation's range, a cross-entropy of
        what is no probability, one of the wrong width, softmax twice or in a hidden layer, layers
        without activation, an accuracy that stands still while the loss falls. Where the
        combination is impossible it warns in any case, else where the model falls short of half
        of what could be learned (of a tenth, if the combination often works; of nine tenths, if
        the output's range ends within one standard deviation of the targets' mean).
    Why it is bad: the loss asks for what the output cannot give.
    What to do: classes that exclude each other: softmax and categorical cross-entropy; yes or no:
        one sigmoid and binary cross-entropy; real numbers: no activation and mean squared error.
    When it is wrong: a custom loss that knows what it does.
    Source: Keras' documentation of its losses. Half and a tenth are those of all rules; beside
        them the checks compare what is exactly known.
    """

    code = "wrong-output-or-loss"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        known = skill(run)
        value = progress(run) if np.isnan(known) else known
        if np.isnan(value) or is_a_try(run):
            # Whether it learned is not known: only what is impossible counts.
            value = np.finfo(float).max
        if run.spoiled_at is not None:
            # What often works did not bring about NaN.
            value = LITTLE
        found = list(mismatches(run))
        bad = [mismatch for mismatch in found if value < mismatch.needs]
        for mismatch in (bad or found)[:1]:
            yield _finding(run, mismatch, bool(bad), known)


def _finding(run: RunView, mismatch: Mismatch, bad: bool, known: float) -> Finding:
    facts, output, answers = run.facts, run.output, run.answer
    evidence: dict[str, float | int | str] = {
        "kind": mismatch.kind,
        "loss": facts.loss if facts else "",
        "output_activation": output.activation if output else "",
        "output_width": facts.output_width if facts else 0,
        "skill": known,
    }
    if answers is not None:
        evidence |= {
            "output_minimum": answers.output_minimum,
            "output_maximum": answers.output_maximum,
            "output_variation": answers.output_variation,
        }
    return Finding(
        code="wrong-output-or-loss",
        title="Output, loss and targets do not fit together",
        severity="warning" if bad else "info",
        layers=(output.name,) if output else (),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence=evidence,
        explanation=mismatch.what + ("" if bad else " It learns all the same."),
        advice=mismatch.advice,
    )
