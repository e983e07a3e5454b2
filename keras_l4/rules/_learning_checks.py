"""Checks of what usually fits, but did not learn."""

from __future__ import annotations

import numpy as np

from keras_l4.records.metadata import ModelMetadata, TargetMetadata
from keras_l4.rules._evidence import RunView
from keras_l4.rules._mismatch import Mismatch
from keras_l4.rules._outcome import LITTLE, accuracy

_REGRESSION = ("mean_squared", "mean_absolute", "huber", "log_cosh")


def frozen_accuracy(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    shown = np.array([accuracy(logs) for logs in run.epochs])
    losses = np.array([logs.logs.get("loss", np.nan) for logs in run.epochs])
    if len(shown) < 4 or np.isnan(shown).any() or np.ptp(shown) > 0 or not shown[0] < 0.99:
        return None
    if not losses[-1] < 0.9 * losses[0]:
        return None
    return Mismatch(
        "frozen-accuracy",
        f"The loss fell from {losses[0]:.3g} to {losses[-1]:.3g}, while the accuracy stood at "
        f"{shown[0]:.3g}: the loss does not see the output that the accuracy sees.",
        "Check that the output's activation, the loss and the metric belong together.",
        needs=0.5,
    )


def mixed(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    targets = facts.targets
    if activation != "sigmoid" or "categorical_crossentropy" not in facts.loss or targets is None:
        return None
    return Mismatch(
        "sigmoid-with-categorical-crossentropy",
        f"{facts.loss} wants classes that exclude each other; the output is a sigmoid per class.",
        "Use softmax, or binary cross-entropy if several classes may be right.",
        needs=LITTLE,
    )


def regression_of_classes(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    targets = facts.targets
    if not facts.loss.startswith(_REGRESSION) or targets is None or not _is_classes(targets):
        return None
    if _still_moves(run):
        return None
    return Mismatch(
        "regression-of-classes",
        f"The targets are {targets.num_classes} classes, the loss is {facts.loss}, which hardly "
        "pulls at answers that are wrong and sure.",
        "Use a cross-entropy.",
        needs=LITTLE,
    )


def _is_classes(targets: TargetMetadata) -> bool:
    return targets.task in ("binary", "one-hot", "labels")


def _still_moves(run: RunView) -> bool:
    """Weights that hardly moved say nothing about the loss."""
    way = run.travel[run.kernels]
    return bool(len(way) and np.nanmax(np.append(way, 0)) < 0.3)


def linear_stack(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    kinds = [(layer.kind, layer.activation) for layer in facts.layers]
    dense = [a for kind, a in kinds if kind.startswith(("Dense", "Conv"))]
    others = [a for kind, a in kinds if not kind.startswith(("Dense", "Conv")) and a]
    if len(dense) < 2 or others or any(a != "linear" for a in dense[:-1]):
        return None
    return Mismatch(
        "linear-stack",
        f"{len(dense)} layers without an activation between them are one linear layer.",
        "Give the hidden layers an activation such as relu.",
        needs=LITTLE,
    )


def hidden_softmax(run: RunView, facts: ModelMetadata, activation: str) -> Mismatch | None:
    if not facts.output_width:
        # One of several outputs is no hidden layer.
        return None
    kinds = ("Dense", "Activation", "Conv")
    bad = [a.name for a in run.hidden if a.activation == "softmax" and a.kind.startswith(kinds)]
    if not bad:
        return None
    return Mismatch(
        "hidden-softmax",
        f"The hidden layer {bad[0]} is a softmax: its units share a sum of 1.",
        "Use relu or tanh there.",
        needs=0.5,
    )
