"""Skill: how much better the model is than the best constant prediction.

A skill of 1 is a perfect model, 0 is the best constant prediction. The rules use two thresholds:
below 0.1 a model is no better than a constant prediction, below 0.5 it underfits.
"""

from __future__ import annotations

import numpy as np

from keras_l4.records.annotations import EpochLogs, ProbeResult
from keras_l4.rules._run_view import RunView

NO_SKILL = 0.1
UNDERFIT_SKILL = 0.5
# The same two thresholds for `relative_loss_decrease`, which replaces an unknown skill.
_NO_LOSS_DECREASE = 0.02
_UNDERFIT_LOSS_DECREASE = 0.1
_MIN_STEPS = 30
_MIN_LOSS_WINDOWS = 4
_ACCURACY_NAMES = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy")


def final_skill(run: RunView) -> float:
    """Returns the last known skill; NaN if it is unknown.

    For classes, the skill is the best of (accuracy − majority) / (1 − majority), from the logs of
    the epochs and on the probe batch, and 1 − cross-entropy / cross-entropy of the best constant
    prediction, which also measures what the model learned about a rare class. For real targets
    it is the explained fraction of their variance.
    """
    skill_by_step: dict[int, float] = {}
    for step, skill in [*_skills_from_logs(run), *_skills_from_probes(run)]:
        skill_by_step[step] = float(np.fmax(skill_by_step.get(step, np.nan), skill))
    known = [skill_by_step[step] for step in sorted(skill_by_step)]
    return next((skill for skill in reversed(known) if not np.isnan(skill)), float("nan"))


def relative_loss_decrease(run: RunView) -> float:
    """Returns 1 − final loss / initial loss; NaN for a run that is too short to tell."""
    windows = run.loss_windows
    if len(windows) < _MIN_LOSS_WINDOWS or not windows[0]:
        return float("nan")
    return float((windows[0] - windows[-1]) / abs(windows[0]))


def is_too_short(run: RunView) -> bool:
    """Returns True if the run has too few steps to expect that the model learned anything."""
    return run.record.num_steps < _MIN_STEPS


def is_no_better_than_constant(run: RunView) -> bool:
    """Returns True if the skill is below 0.1, or the loss hardly fell if the skill is unknown.

    Also True for a run that ends in NaN.
    """
    return _is_below(run, NO_SKILL, _NO_LOSS_DECREASE)


def underfits(run: RunView) -> bool:
    """Returns True if the skill is below 0.5: closer to a constant prediction than to perfect.

    Also True if the predicted probabilities are worse than those of a constant prediction, even
    if most predictions are right: then the model is confident where it is wrong.
    """
    probe = run.last_finite_probe
    is_overconfident = probe is not None and probe.crossentropy > probe.baseline_crossentropy
    return not is_too_short(run) and (
        is_overconfident or _is_below(run, UNDERFIT_SKILL, _UNDERFIT_LOSS_DECREASE)
    )


def logged_accuracy(logs: EpochLogs) -> float:
    """Returns the accuracy in the logs of an epoch; NaN if there is none."""
    return next((logs.logs[name] for name in _ACCURACY_NAMES if name in logs.logs), float("nan"))


def _is_below(run: RunView, min_skill: float, min_loss_decrease: float) -> bool:
    if is_too_short(run):
        return False
    if run.nonfinite_since is not None:
        return True
    skill = final_skill(run)
    if np.isnan(skill):
        return relative_loss_decrease(run) < min_loss_decrease
    return skill < min_skill


def _skills_from_logs(run: RunView) -> list[tuple[int, float]]:
    targets = None if run.metadata is None else run.metadata.targets
    majority = np.nan if targets is None else targets.majority_fraction
    return [(logs.step, _gain(logged_accuracy(logs), majority)) for logs in run.epoch_logs]


def _skills_from_probes(run: RunView) -> list[tuple[int, float]]:
    return [(probe.step, _skill_of_probe(probe)) for probe in run.probes]


def _skill_of_probe(probe: ProbeResult) -> float:
    if not np.isnan(probe.explained_variance):
        return probe.explained_variance
    by_accuracy = _gain(probe.accuracy, probe.majority_fraction)
    baseline = probe.baseline_crossentropy
    by_crossentropy = 1 - probe.crossentropy / baseline if baseline else np.nan
    return float(np.fmax(by_accuracy, by_crossentropy))


def _gain(accuracy: float, majority: float) -> float:
    return (accuracy - majority) / (1 - majority) if majority < 1 else float("nan")
