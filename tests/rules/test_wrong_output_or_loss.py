from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keras_l4.records.history import Record
from keras_l4.records.metadata import ModelMetadata
from tests.rules.records import (
    CONSTANT_ACCURACY,
    NUM_STEPS,
    epochs,
    found,
    model_metadata,
    probe_result,
    record,
    targets,
)

BINARY = targets(task="binary", width=1, num_classes=2, majority_fraction=0.5, trivial_loss=0.69)
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
    metadata, probes = MISFITS[kind]
    probes = [probe_result(NUM_STEPS, accuracy, **probes)]
    return record(metadata=model_metadata(**metadata), probes=probes)


@pytest.mark.parametrize("kind", MISFITS)
def test_mismatch_is_found_with_its_severity(kind: str) -> None:
    (finding,) = found(run(kind, CONSTANT_ACCURACY), "wrong-output-or-loss")
    assert (finding.evidence["kind"], finding.severity) == (kind, "warning")
    (finding,) = found(run(kind, 0.95), "wrong-output-or-loss")
    assert finding.severity == ("warning" if kind in IMPOSSIBLE else "info")


@pytest.mark.parametrize(
    ("output", "mean", "explained", "severity"),
    [("relu", 0.0, 0.6, "warning"), ("relu", 0.0, 0.95, "info"), ("relu", 2.0, 0.6, "info"),
     ("relu", 2.0, 0.4, "warning"), ("relu6", 0.5, 0.6, "info")],
)  # fmt: skip
def test_severity_depends_on_the_range_that_the_output_cuts_off(
    output: str, mean: float, explained: float, severity: str
) -> None:
    """The end of the range may be close to the targets' mean, far from it, or beyond all targets."""
    low, high = (0.0, 9.0) if output == "relu6" else (-3.0, 3.0)
    wanted = replace(REAL, mean=mean, minimum=low, maximum=high)
    metadata = model_metadata(output=output, loss="mean_squared_error", targets=wanted)
    probes = [probe_result(NUM_STEPS, float("nan"), explained_variance=explained)]
    (finding,) = found(record(metadata=metadata, probes=probes), "wrong-output-or-loss")
    assert (finding.evidence["kind"], finding.severity) == ("targets-out-of-range", severity)


def test_softmax_per_pixel_is_no_finding() -> None:
    """The targets are one label for each of 4 pixels, flattened."""
    metadata = model_metadata(targets=targets(task="multi-label", width=12))
    nan = float("nan")
    probes = [probe_result(NUM_STEPS, nan, crossentropy=nan, baseline_crossentropy=nan)]
    assert found(record(metadata=metadata, probes=probes), "wrong-output-or-loss") == []


def test_frozen_accuracy_with_decreasing_loss_is_reported() -> None:
    annotations = epochs(np.full(20, CONSTANT_ACCURACY))
    (finding,) = found(
        record(accuracy=CONSTANT_ACCURACY, annotations=annotations), "wrong-output-or-loss"
    )
    assert finding.evidence["kind"] == "frozen-accuracy"


FITS: dict[str, ModelMetadata] = {
    "softmax": model_metadata(),
    "sparse": model_metadata(
        loss="sparse_categorical_crossentropy",
        targets=targets(task="labels", width=1, maximum=2.0),
    ),
    "logits": model_metadata(output="linear", from_logits=True),
    "sigmoid": model_metadata(
        output="sigmoid", output_width=1, loss="binary_crossentropy", targets=BINARY
    ),
    "regression": model_metadata(output="linear", loss="mean_squared_error", targets=REAL),
    "bounded": model_metadata(
        output="sigmoid", loss="mean_squared_error",
        targets=replace(REAL, minimum=0.0, maximum=1.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_matching_output_and_loss_are_no_finding(name: str) -> None:
    assert (
        found(record(metadata=FITS[name], accuracy=CONSTANT_ACCURACY), "wrong-output-or-loss") == []
    )


def test_custom_loss_may_accept_targets_of_any_width() -> None:
    metadata = model_metadata(loss="my_loss", output_width=5, targets=targets(maximum=9.0))
    assert (
        found(record(metadata=metadata, accuracy=CONSTANT_ACCURACY), "wrong-output-or-loss") == []
    )
