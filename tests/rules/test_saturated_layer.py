from __future__ import annotations

import pytest

from tests.rules.records import (
    CONSTANT_ACCURACY,
    NUM_STEPS,
    activation_stats,
    found,
    model_metadata,
    probe_result,
    record,
)

HIDDEN, OUTPUT = "dense_0", "dense_2"


def run(name: str, share: float, accuracy: float) -> object:
    layers = [
        activation_stats(
            n, saturated_fraction=share if n == name else 0.0, mean_relative_derivative=0.5
        )
        for n in ("dense_0", "dense_1", "dense_2")
    ]
    metadata = model_metadata(activation="tanh", output="sigmoid")
    return record(metadata=metadata, probes=[probe_result(NUM_STEPS, accuracy, layers=layers)])


@pytest.mark.parametrize(
    ("name", "share", "accuracy", "severity"),
    [(HIDDEN, 0.6, CONSTANT_ACCURACY, "warning"), (HIDDEN, 0.95, 0.5, "warning"), (HIDDEN, 0.6, 0.5, "info"),
     (HIDDEN, 0.95, 0.9, "info"), (OUTPUT, 0.95, CONSTANT_ACCURACY, "warning")],
)  # fmt: skip
def test_severity_depends_on_layer_share_and_accuracy(
    name: str, share: float, accuracy: float, severity: str
) -> None:
    (finding,) = found(run(name, share, accuracy), "saturated-layer")
    assert (finding.severity, finding.layers) == (severity, (name,))


@pytest.mark.parametrize(
    ("name", "share", "accuracy"), [(HIDDEN, 0.4, CONSTANT_ACCURACY), (OUTPUT, 0.95, 0.9)]
)
def test_few_saturated_units_or_a_confident_classifier_are_no_finding(
    name: str, share: float, accuracy: float
) -> None:
    assert found(run(name, share, accuracy), "saturated-layer") == []


@pytest.mark.parametrize(
    ("name", "accuracy", "severities"),
    [(HIDDEN, 0.5, ["warning"]), (HIDDEN, 0.9, []), (OUTPUT, 0.5, [])],
)
def test_initial_saturation_counts_if_the_model_underfits(
    name: str, accuracy: float, severities: list[str]
) -> None:
    """Training may have compensated for it, hence the accuracy."""
    began = probe_result(
        0,
        CONSTANT_ACCURACY,
        layers=[activation_stats(name, saturated_fraction=1.0, mean_relative_derivative=0.0)],
    )
    ended = probe_result(NUM_STEPS, accuracy)
    metadata = model_metadata(activation="tanh", output="sigmoid")
    findings = found(record(metadata=metadata, probes=[began, ended]), "saturated-layer")
    assert [finding.severity for finding in findings] == severities
    assert all(f.explanation.startswith("Before training, ") for f in findings)
