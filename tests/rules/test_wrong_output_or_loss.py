from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keras_l4.records.history import Record
from keras_l4.records.metadata import ModelMetadata
from tests.rules.records import (
    LOST,
    NUM_STEPS,
    epochs,
    facts,
    found,
    record,
    response,
    targets,
)

BINARY = targets(task="binary", width=1, num_classes=2, majority=0.5, trivial_loss=0.69)
REAL = targets(task="real", width=3, minimum=-3.0, maximum=3.0, std=1.0, num_classes=0)
MISFITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "softmax-of-one": ({"output_width": 1, "targets": BINARY, "loss": "binary_crossentropy"}, {}),
    "crossentropy-of-one": ({"output": "sigmoid", "output_width": 1, "targets": BINARY}, {}),
    "targets-no-probabilities": (
        {"output": "sigmoid", "loss": "binary_crossentropy",
         "targets": replace(BINARY, maximum=2.0)}, {}),
    "width": ({"output_width": 5}, {}),
    "targets-out-of-range": (
        {"output": "sigmoid", "loss": "mean_squared_error", "targets": REAL}, {}),
    "no-probabilities": ({"output": "linear"}, {"output_minimum": -2.0}),
    "softmax-of-several": ({"targets": targets(task="multi-label")}, {}),
    "twice-normalized": ({"from_logits": True}, {}),
    "sigmoid-with-categorical-crossentropy": ({"output": "sigmoid"}, {}),
    "regression-of-classes": ({"loss": "mean_absolute_error"}, {}),
    "linear-stack": ({"activation": "linear"}, {}),
    "hidden-softmax": ({"activation": "softmax"}, {}),
}  # fmt: skip
IMPOSSIBLE = {"softmax-of-one", "crossentropy-of-one", "targets-no-probabilities", "width"}


def run(kind: str, accuracy: float) -> Record:
    known, answers = MISFITS[kind]
    responses = [response(NUM_STEPS, accuracy, **answers)]
    return record(known=facts(**known), responses=responses)


@pytest.mark.parametrize("kind", MISFITS)
def test_misfits(kind: str) -> None:
    (finding,) = found(run(kind, LOST), "wrong-output-or-loss")
    assert (finding.evidence["kind"], finding.severity) == (kind, "warning")
    (finding,) = found(run(kind, 0.95), "wrong-output-or-loss")
    assert finding.severity == ("warning" if kind in IMPOSSIBLE else "info")


@pytest.mark.parametrize(
    ("output", "mean", "explained", "severity"),
    [("relu", 0.0, 0.6, "warning"), ("relu", 0.0, 0.95, "info"), ("relu", 2.0, 0.6, "info"),
     ("relu", 2.0, 0.4, "warning"), ("relu6", 0.5, 0.6, "info")],
)  # fmt: skip
def test_a_range_that_cuts_off_much_or_little(
    output: str, mean: float, explained: float, severity: str
) -> None:
    """Its end lies near the mean or far from it; one beyond which there is nothing cuts nothing."""
    low, high = (0.0, 9.0) if output == "relu6" else (-3.0, 3.0)
    wanted = replace(REAL, mean=mean, minimum=low, maximum=high)
    known = facts(output=output, loss="mean_squared_error", targets=wanted)
    answers = [response(NUM_STEPS, float("nan"), explained=explained)]
    (finding,) = found(record(known=known, responses=answers), "wrong-output-or-loss")
    assert (finding.evidence["kind"], finding.severity) == ("targets-out-of-range", severity)


def test_a_softmax_at_each_place_is_none_of_several() -> None:
    """One label for each of 4 pixels, flattened."""
    known = facts(targets=targets(task="multi-label", width=12))
    nan = float("nan")
    answers = [response(NUM_STEPS, nan, crossentropy=nan, entropy=nan)]
    assert found(record(known=known, responses=answers), "wrong-output-or-loss") == []


def test_an_accuracy_that_stands_still_while_the_loss_falls() -> None:
    shown = epochs(np.full(20, LOST))
    (finding,) = found(record(accuracy=LOST, shown=shown), "wrong-output-or-loss")
    assert finding.evidence["kind"] == "frozen-accuracy"


FITS: dict[str, ModelMetadata] = {
    "softmax": facts(),
    "sparse": facts(
        loss="sparse_categorical_crossentropy",
        targets=targets(task="labels", width=1, maximum=2.0),
    ),
    "logits": facts(output="linear", from_logits=True),
    "sigmoid": facts(
        output="sigmoid", output_width=1, loss="binary_crossentropy", targets=BINARY
    ),
    "regression": facts(output="linear", loss="mean_squared_error", targets=REAL),
    "bounded": facts(
        output="sigmoid", loss="mean_squared_error",
        targets=replace(REAL, minimum=0.0, maximum=1.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_silent_on_what_fits_even_if_it_learns_nothing(name: str) -> None:
    assert found(record(known=FITS[name], accuracy=LOST), "wrong-output-or-loss") == []


def test_a_loss_of_the_users_own_may_take_targets_of_any_width() -> None:
    known = facts(loss="my_loss", output_width=5, targets=targets(maximum=9.0))
    assert found(record(known=known, accuracy=LOST), "wrong-output-or-loss") == []
