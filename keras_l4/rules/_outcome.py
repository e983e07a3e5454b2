"""Outcome: whether the model learned anything, by the measure of a constant prediction."""

from __future__ import annotations

import numpy as np

from keras_l4.records.annotations import EpochLogs, ProbeResult
from keras_l4.rules._evidence import RunView

_ACCURACY = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy")
# A tenth and half of the way from a constant prediction to a perfect one.
LITTLE = 0.1
HALF = 0.5
FEWEST_STEPS = 30


def skills(run: RunView) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and the skill by then: 1 is perfect, 0 is what a constant prediction reaches.

    Classes: the best of (accuracy − majority) / (1 − majority), as Keras showed it and as it was
    measured on the fixed batch, and 1 − cross-entropy / that of the best constant, which sees
    what is learned of a rare class. Real targets: the explained share of their variance.
    """
    points: dict[int, float] = {}
    for step, value in [*_of_epochs(run), *_of_responses(run)]:
        points[step] = float(np.fmax(points.get(step, np.nan), value))
    steps = np.array(sorted(points), dtype=np.int64)
    return steps, np.array([points[step] for step in steps.tolist()])


def skill(run: RunView) -> float:
    """The last skill that is known; NaN if none is."""
    known = skills(run)[1]
    known = known[~np.isnan(known)]
    return float(known[-1]) if len(known) else float("nan")


def progress(run: RunView) -> float:
    """1 − loss at the end / loss at the start; NaN if too little is known of it."""
    windows = run.loss_windows
    if len(windows) < 4 or not windows[0]:
        return float("nan")
    return float((windows[0] - windows[-1]) / abs(windows[0]))


def is_a_try(run: RunView) -> bool:
    """Whether the run is too short to be expected to have learned anything."""
    return run.record.num_steps < FEWEST_STEPS


def learned_little(run: RunView) -> bool:
    """Whether the model does about as well as a constant; by its loss where no skill is known.

    A run that ends in NaN learned nothing.
    """
    return _below(run, LITTLE, unknown=0.02)


def falls_short(run: RunView) -> bool:
    """Whether the model is nearer to a constant prediction than to a perfect one.

    Also one whose probabilities are worse than a constant's, even where most of its answers are
    right: it is sure of the wrong ones.
    """
    answer = run.answer
    too_sure = answer is not None and answer.crossentropy > answer.entropy
    return not is_a_try(run) and (too_sure or _below(run, HALF, unknown=0.1))


def _below(run: RunView, limit: float, unknown: float) -> bool:
    if is_a_try(run):
        return False
    if run.spoiled_at is not None:
        return True
    value = skill(run)
    return progress(run) < unknown if np.isnan(value) else value < limit


def _of_epochs(run: RunView) -> list[tuple[int, float]]:
    targets = None if run.facts is None else run.facts.targets
    majority = np.nan if targets is None else targets.majority
    return [(logs.step, _above(accuracy(logs), majority)) for logs in run.epochs]


def _of_responses(run: RunView) -> list[tuple[int, float]]:
    return [(response.step, _of_response(response)) for response in run.responses]


def _of_response(response: ProbeResult) -> float:
    if not np.isnan(response.explained):
        return response.explained
    by_accuracy = _above(response.accuracy, response.majority)
    by_chances = 1 - response.crossentropy / response.entropy if response.entropy else np.nan
    return float(np.fmax(by_accuracy, by_chances))


def _above(accuracy: float, majority: float) -> float:
    return (accuracy - majority) / (1 - majority) if majority < 1 else float("nan")


def accuracy(logs: EpochLogs) -> float:
    """The accuracy that Keras showed; NaN if it showed none."""
    return next((logs.logs[name] for name in _ACCURACY if name in logs.logs), float("nan"))
