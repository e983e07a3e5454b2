"""wrong-output-or-loss: output layer, loss function and targets do not fit together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._mismatches import Mismatch, find_mismatches
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import NO_SKILL, final_skill, is_too_short, relative_loss_decrease


class WrongOutputOrLoss(Rule):
    """Output layer, loss function and targets do not fit together.

    What it does: compares the output's activation and width with the loss function and a sample of
        the targets: softmax over one unit, targets outside of the activation's range,
        cross-entropy of values that are not probabilities or of the wrong width, softmax twice or
        in a hidden layer, layers without activation, an accuracy that is constant while the loss
        decreases. A combination that cannot work is always a warning. Others are a warning if
        the skill of the model is below 0.5 (below 0.1 if the combination often works; below 0.9
        if the output's range ends within one standard deviation of the targets' mean), otherwise
        info.
    Why it is bad: the output cannot reach the values that the loss function rewards.
    What to do: mutually exclusive classes: softmax and categorical cross-entropy. Yes or no: one
        sigmoid and binary cross-entropy. Real targets: no activation and mean squared error.
    When it is wrong: a custom loss function handles the combination.
    Source: Keras' documentation of its losses. 0.5 and 0.1 are the thresholds of all rules; the
        other checks compare known facts.
    """

    code = "wrong-output-or-loss"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        mismatches = list(find_mismatches(run))
        skill = _skill_or_loss_decrease(run)
        harmful = [mismatch for mismatch in mismatches if skill < mismatch.max_skill]
        for mismatch in (harmful or mismatches)[:1]:
            yield _finding(run, mismatch, bool(harmful))


def _skill_or_loss_decrease(run: RunView) -> float:
    if run.nonfinite_since is not None:
        # NaN has other causes than a combination that often works, so these do not count.
        return NO_SKILL
    skill = final_skill(run)
    if np.isnan(skill):
        skill = relative_loss_decrease(run)
    if np.isnan(skill) or is_too_short(run):
        # It is unknown whether the model learned: only combinations that cannot work count,
        # whose limit is infinite.
        return float(np.finfo(float).max)
    return skill


def _finding(run: RunView, mismatch: Mismatch, is_harmful: bool) -> Finding:
    metadata, output, probe = run.metadata, run.output_layer, run.last_finite_probe
    evidence: dict[str, float | int | str] = {
        "kind": mismatch.kind,
        "loss": metadata.loss if metadata else "",
        "output_activation": output.activation if output else "",
        "output_width": metadata.output_width if metadata else 0,
        "skill": final_skill(run),
    }
    if probe is not None:
        evidence |= {
            "output_minimum": probe.output_minimum,
            "output_maximum": probe.output_maximum,
            "output_variation": probe.output_variation,
        }
    return Finding(
        code="wrong-output-or-loss",
        title="Output, loss and targets do not fit together",
        severity="warning" if is_harmful else "info",
        layers=(output.name,) if output else (),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence=evidence,
        explanation=mismatch.explanation
        + ("" if is_harmful else " The model learns nevertheless."),
        advice=mismatch.advice,
    )
