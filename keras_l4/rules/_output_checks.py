"""Checks of the output against the loss and the targets."""

from __future__ import annotations

import numpy as np

from keras_l4.records.metadata import ModelMetadata
from keras_l4.rules._evidence import RunView
from keras_l4.rules._mismatch import INF, PROBABILITIES, Mismatch

_KNOWN = ("binary_", "categorical_", "sparse_", "mean_", "huber", "log_cosh")
RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, INF),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, INF),
    "exponential": (0.0, INF),
}


def softmax_of_one(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    if activation != "softmax" or facts.output_width != 1:
        return None
    return Mismatch(
        "softmax-of-one",
        "The output is a softmax over one unit: it is 1 whatever the weights are. (On TensorFlow "
        "a cross-entropy takes the logits instead, so that the loss falls all the same.)",
        'Use `Dense(1, activation="sigmoid")` with binary cross-entropy, or as many units as '
        "classes; for regression no activation.",
    )


def crossentropy_of_one(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    if "categorical_crossentropy" not in facts.loss or facts.output_width != 1:
        return None
    return Mismatch(
        "crossentropy-of-one",
        f"{facts.loss} over one unit is constant, whatever the model answers.",
        "Use binary cross-entropy with a sigmoid, or as many units as classes.",
    )


def softmax_of_several(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    targets = facts.targets
    if targets is None or targets.task != "multi-label" or activation != "softmax":
        return None
    if targets.width != facts.output_width:
        # One label for each of several places, such as pixels: each has a softmax of its own.
        return None
    return Mismatch(
        "softmax-of-several",
        "Examples have several labels at once, or none, but a softmax shares out a probability "
        "of 1 among them.",
        "Use a sigmoid for each label, with binary cross-entropy.",
        needs=0.5,
    )


def targets_out_of_range(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    targets, (low, high) = facts.targets, RANGES.get(activation, (-INF, INF))
    known = facts.loss.startswith(_KNOWN) and not facts.loss.startswith("sparse_")
    if targets is None or not known or activation not in RANGES:
        return None
    slack = 0.01 * max(targets.std, 1e-12)
    if low - slack <= targets.minimum and targets.maximum <= high + slack:
        return None
    # Of a normal distribution that is cut one standard deviation from its mean, a twelfth of the
    # variance is out of reach.
    room = [targets.mean - low] * (targets.minimum < low - slack)
    room += [high - targets.mean] * (targets.maximum > high + slack)
    return Mismatch(
        "targets-out-of-range",
        f"The output ({activation}) lies between {low:g} and {high:g}, the targets between "
        f"{targets.minimum:.3g} and {targets.maximum:.3g}.",
        "Use an output without activation, or scale the targets into its range.",
        needs=0.9 if min(room) < targets.std else 0.5,
    )


def targets_no_probabilities(
    run: RunView, facts: ModelMetadata, activation: str
) -> Mismatch | None:
    targets = facts.targets
    if targets is None or not facts.loss.startswith("binary_"):
        return None
    if targets.minimum >= 0 and targets.maximum <= 1:
        return None
    return Mismatch(
        "targets-no-probabilities",
        f"Binary cross-entropy wants targets between 0 and 1; they reach from "
        f"{targets.minimum:.3g} to {targets.maximum:.3g}.",
        "Use targets 0 and 1, sparse categorical cross-entropy for several classes, or mean "
        "squared error for real numbers.",
    )


def no_probabilities(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    if "crossentropy" not in facts.loss or facts.from_logits or activation in PROBABILITIES:
        return None
    answers = [r for r in run.responses if not np.isnan(r.output_minimum)]
    outside = [r for r in answers if r.output_minimum < 0 or r.output_maximum > 1]
    if answers and not outside:
        return None
    return Mismatch(
        "no-probabilities",
        f"{facts.loss} wants probabilities, but the output ({activation or 'no activation'}) "
        "is none: Keras clips it, and what is clipped has no gradient.",
        "Add a softmax (sigmoid for one unit), or pass `from_logits=True` to the loss.",
        needs=0.5,
    )


def twice_normalized(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    if not facts.from_logits or activation not in PROBABILITIES:
        return None
    return Mismatch(
        "twice-normalized",
        f"The loss has `from_logits=True`, but the output is a {activation} already.",
        "Drop the activation, or `from_logits=True`.",
        needs=0.5,
    )


def width(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    targets, width = facts.targets, facts.output_width
    if targets is None or not width or not _is_flat(run) or not facts.loss.startswith(_KNOWN):
        # A loss of the user's own may take its targets as it likes.
        return None
    if facts.loss.startswith("sparse_"):
        wrong, wanted = targets.maximum >= width, int(targets.maximum) + 1
    else:
        wrong, wanted = targets.width != width, targets.width
    if not wrong:
        return None
    return Mismatch(
        "width",
        f"The output has {width} units, the targets need {wanted}.",
        f"Use {wanted} output units"
        + (", or a sparse loss for integer classes." if targets.num_classes > 2 else "."),
    )


def _is_flat(run: RunView) -> bool:
    """Whether there is one answer per example, not one per time step or pixel."""
    return any(not np.isnan(r.accuracy) or not np.isnan(r.explained) for r in run.responses)
