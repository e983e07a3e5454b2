"""Checks of output layer, loss function and targets against each other, for one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from keras_l4.records.metadata import ModelMetadata, TargetMetadata
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import NO_SKILL, UNDERFIT_SKILL, logged_accuracy

INF = float("inf")
# An output range that ends within one standard deviation of the targets' mean limits even a good
# model: it cannot explain a twelfth of the variance of normally distributed targets.
_CLIPPED_SKILL = 0.9
_PROBABILITY_ACTIVATIONS = {"sigmoid", "hard_sigmoid", "softmax"}
_REGRESSION_LOSSES = ("mean_squared", "mean_absolute", "huber", "log_cosh")
_KERAS_LOSSES = ("binary_", "categorical_", "sparse_", "mean_", "huber", "log_cosh")
_OUTPUT_RANGES = {
    **dict.fromkeys(("sigmoid", "hard_sigmoid", "softmax"), (0.0, 1.0)),
    **dict.fromkeys(("tanh", "softsign"), (-1.0, 1.0)),
    **dict.fromkeys(("relu", "softplus", "exponential"), (0.0, INF)),
    "relu6": (0.0, 6.0),
}
_RANGE_TOLERANCE = 0.01  # In standard deviations of the targets.
_MIN_PATH_LENGTH = 0.3  # In norms of the weights, as in learning-rate-too-low.


@dataclass(frozen=True)
class Mismatch:
    """One way in which output layer, loss function and targets do not fit together.

    Attributes:
        kind: Short name.
        explanation: One sentence.
        advice: How to fix it.
        max_skill: It is a warning if the skill of the model is below this value. Infinite if the
            combination cannot work.
    """

    kind: str
    explanation: str
    advice: str
    max_skill: float = INF


def find_mismatches(run: RunView) -> Iterator[Mismatch]:
    """Yields the mismatches of a run, the most certain first."""
    if run.metadata is None or run.output_layer is None:
        return
    for check in _CHECKS:
        mismatch = check(run, run.metadata, run.output_layer.activation)
        if mismatch is not None:
            yield mismatch


def _softmax_of_one(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    if activation != "softmax" or metadata.output_width != 1:
        return None
    return Mismatch(
        "softmax-of-one",
        "The output is a softmax over one unit, which is always 1. (On TensorFlow, Keras computes "
        "cross-entropy from the logits, so the loss decreases nevertheless.)",
        'Use `Dense(1, activation="sigmoid")` with binary cross-entropy, one unit per class, or '
        "no activation for regression.",
    )


def _crossentropy_of_one(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    if "categorical_crossentropy" not in metadata.loss or metadata.output_width != 1:
        return None
    return Mismatch(
        "crossentropy-of-one",
        f"The loss {metadata.loss} is constant for an output of one unit.",
        "Use binary cross-entropy with a sigmoid, or one unit per class.",
    )


def _targets_no_probabilities(
    run: RunView, metadata: ModelMetadata, activation: str
) -> Mismatch | None:
    targets = metadata.targets
    if targets is None or not metadata.loss.startswith("binary_"):
        return None
    if targets.minimum >= 0 and targets.maximum <= 1:
        return None
    return Mismatch(
        "targets-no-probabilities",
        f"Binary cross-entropy expects targets between 0 and 1, but they range from "
        f"{targets.minimum:.3g} to {targets.maximum:.3g}.",
        "Use targets 0 and 1, sparse categorical cross-entropy for several classes, or mean "
        "squared error for real targets.",
    )


def _width(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    targets, width = metadata.targets, metadata.output_width
    # A custom loss function may accept targets of any shape.
    is_keras_loss = metadata.loss.startswith(_KERAS_LOSSES)
    if targets is None or not width or not _has_one_prediction(run) or not is_keras_loss:
        return None
    if metadata.loss.startswith("sparse_"):
        is_wrong, expected = targets.maximum >= width, int(targets.maximum) + 1
    else:
        is_wrong, expected = targets.width != width, targets.width
    if not is_wrong:
        return None
    return Mismatch(
        "width",
        f"The output has {width} units, but the targets need {expected}.",
        f"Use {expected} output units"
        + (", or a sparse loss for integer classes." if targets.num_classes > 2 else "."),
    )


def _has_one_prediction(run: RunView) -> bool:
    """Returns True if there is one prediction per example, not one per time step or pixel."""
    return any(not np.isnan(p.accuracy) or not np.isnan(p.explained_variance) for p in run.probes)


def _softmax_of_several(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    targets = metadata.targets
    if targets is None or targets.task != "multi-label" or activation != "softmax":
        return None
    if targets.width != metadata.output_width:
        # One label per pixel or time step looks like several labels, but each has its softmax.
        return None
    return Mismatch(
        "softmax-of-several",
        "Examples have several labels or none, but the probabilities of a softmax sum to 1.",
        "Use one sigmoid per label with binary cross-entropy.",
        max_skill=UNDERFIT_SKILL,
    )


def _targets_out_of_range(
    run: RunView, metadata: ModelMetadata, activation: str
) -> Mismatch | None:
    targets, (low, high) = metadata.targets, _OUTPUT_RANGES.get(activation, (-INF, INF))
    is_checked = metadata.loss.startswith(_KERAS_LOSSES) and not metadata.loss.startswith("sparse_")
    if targets is None or not is_checked or activation not in _OUTPUT_RANGES:
        return None
    tolerance = _RANGE_TOLERANCE * max(targets.std, 1e-12)
    if low - tolerance <= targets.minimum and targets.maximum <= high + tolerance:
        return None
    margins = [targets.mean - low] * (targets.minimum < low - tolerance)
    margins += [high - targets.mean] * (targets.maximum > high + tolerance)
    return Mismatch(
        "targets-out-of-range",
        f"The output activation {activation} has values between {low:g} and {high:g}, but the "
        f"targets range from {targets.minimum:.3g} to {targets.maximum:.3g}.",
        "Remove the output activation, or scale the targets into its range.",
        max_skill=_CLIPPED_SKILL if min(margins) < targets.std else UNDERFIT_SKILL,
    )


def _no_probabilities(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    if "crossentropy" not in metadata.loss or metadata.from_logits:
        return None
    if activation in _PROBABILITY_ACTIVATIONS:
        return None
    probes = [probe for probe in run.probes if not np.isnan(probe.output_minimum)]
    if probes and not any(p.output_minimum < 0 or p.output_maximum > 1 for p in probes):
        return None
    return Mismatch(
        "no-probabilities",
        f"{metadata.loss} expects probabilities, but the output ({activation or 'no activation'}) "
        "is outside of [0, 1]. Keras clips it, and clipped values have no gradient.",
        "Add a softmax (a sigmoid for one unit), or pass `from_logits=True` to the loss.",
        max_skill=UNDERFIT_SKILL,
    )


def _normalized_twice(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    if not metadata.from_logits or activation not in _PROBABILITY_ACTIVATIONS:
        return None
    return Mismatch(
        "twice-normalized",
        f"The loss has `from_logits=True`, but the output already has a {activation} activation.",
        "Remove the activation, or `from_logits=True`.",
        max_skill=UNDERFIT_SKILL,
    )


def _frozen_accuracy(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    accuracies = np.array([logged_accuracy(logs) for logs in run.epoch_logs])
    losses = np.array([logs.logs.get("loss", np.nan) for logs in run.epoch_logs])
    if len(accuracies) < 4 or np.isnan(accuracies).any() or np.ptp(accuracies) > 0:
        return None
    if not accuracies[0] < 0.99 or not losses[-1] < 0.9 * losses[0]:
        return None
    return Mismatch(
        "frozen-accuracy",
        f"The loss decreased from {losses[0]:.3g} to {losses[-1]:.3g}, but the accuracy stayed at "
        f"{accuracies[0]:.3g}: loss and metric interpret the output differently.",
        "Check that output activation, loss and metric fit together.",
        max_skill=UNDERFIT_SKILL,
    )


def _hidden_softmax(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    if not metadata.output_width:
        # There are several outputs, and `hidden_layers` contains all but one of them.
        return None
    kinds = ("Dense", "Activation", "Conv")
    layers = [
        layer.name
        for layer in run.hidden_layers
        if layer.activation == "softmax" and layer.kind.startswith(kinds)
    ]
    if not layers:
        return None
    return Mismatch(
        "hidden-softmax",
        f"The hidden layer {layers[0]} has a softmax activation: its outputs sum to 1, which "
        "limits what it can pass on.",
        "Use relu or tanh in hidden layers.",
        max_skill=UNDERFIT_SKILL,
    )


def _linear_stack(run: RunView, metadata: ModelMetadata, activation: str) -> Mismatch | None:
    is_affine = [layer.kind.startswith(("Dense", "Conv")) for layer in metadata.layers]
    pairs = list(zip(metadata.layers, is_affine, strict=True))
    affine = [layer.activation for layer, affine in pairs if affine]
    has_other_activation = any(layer.activation for layer, affine in pairs if not affine)
    if len(affine) < 2 or has_other_activation or any(a != "linear" for a in affine[:-1]):
        return None
    return Mismatch(
        "linear-stack",
        f"{len(affine)} layers without an activation between them are equivalent to a single "
        "linear layer.",
        "Add an activation such as relu to the hidden layers.",
        max_skill=NO_SKILL,
    )


def _sigmoid_with_categorical_crossentropy(
    run: RunView, metadata: ModelMetadata, activation: str
) -> Mismatch | None:
    is_categorical = "categorical_crossentropy" in metadata.loss
    if activation != "sigmoid" or not is_categorical or metadata.targets is None:
        return None
    return Mismatch(
        "sigmoid-with-categorical-crossentropy",
        f"{metadata.loss} expects mutually exclusive classes, but the output has one sigmoid per "
        "class.",
        "Use softmax, or binary cross-entropy if an example can have several classes.",
        max_skill=NO_SKILL,
    )


def _regression_of_classes(
    run: RunView, metadata: ModelMetadata, activation: str
) -> Mismatch | None:
    targets = metadata.targets
    is_regression = metadata.loss.startswith(_REGRESSION_LOSSES)
    if not is_regression or targets is None or not _is_classes(targets):
        return None
    if not _has_moved(run):
        # Weights that hardly moved do not tell whether the loss function works.
        return None
    return Mismatch(
        "regression-of-classes",
        f"The targets are {targets.num_classes} classes, but the loss is {metadata.loss}, whose "
        "gradient is small for predictions that are confident and wrong.",
        "Use a cross-entropy loss.",
        max_skill=NO_SKILL,
    )


def _is_classes(targets: TargetMetadata) -> bool:
    return targets.task in ("binary", "one-hot", "labels")


def _has_moved(run: RunView) -> bool:
    lengths = run.weight_path_length[run.kernels]
    return not (len(lengths) and np.nanmax(np.append(lengths, 0)) < _MIN_PATH_LENGTH)


_Check: TypeAlias = Callable[[RunView, ModelMetadata, str], Mismatch | None]
_CHECKS: tuple[_Check, ...] = (
    _softmax_of_one,
    _crossentropy_of_one,
    _targets_no_probabilities,
    _width,
    _softmax_of_several,
    _targets_out_of_range,
    _no_probabilities,
    _normalized_twice,
    _frozen_accuracy,
    _hidden_softmax,
    _linear_stack,
    _sigmoid_with_categorical_crossentropy,
    _regression_of_classes,
)
