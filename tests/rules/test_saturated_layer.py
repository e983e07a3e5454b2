from __future__ import annotations

import pytest

from tests.rules.records import LOST, NUM_STEPS, answer, facts, found, record, response

HIDDEN, OUTPUT = "dense_0", "dense_2"


def run(name: str, share: float, accuracy: float) -> object:
    layers = [
        answer(n, saturated_fraction=share if n == name else 0.0, local_gradient=0.5)
        for n in ("dense_0", "dense_1", "dense_2")
    ]
    known = facts(activation="tanh", output="sigmoid")
    return record(known=known, responses=[response(NUM_STEPS, accuracy, layers=layers)])


@pytest.mark.parametrize(
    ("name", "share", "accuracy", "severity"),
    [(HIDDEN, 0.6, LOST, "warning"), (HIDDEN, 0.95, 0.5, "warning"), (HIDDEN, 0.6, 0.5, "info"),
     (HIDDEN, 0.95, 0.9, "info"), (OUTPUT, 0.95, LOST, "warning")],
)  # fmt: skip
def test_flat_ends(name: str, share: float, accuracy: float, severity: str) -> None:
    (finding,) = found(run(name, share, accuracy), "saturated-layer")
    assert (finding.severity, finding.layers) == (severity, (name,))


@pytest.mark.parametrize(("name", "share", "accuracy"), [(HIDDEN, 0.4, LOST), (OUTPUT, 0.95, 0.9)])
def test_silent(name: str, share: float, accuracy: float) -> None:
    """Few saturated units, or a classifier that is sure of itself."""
    assert found(run(name, share, accuracy), "saturated-layer") == []


@pytest.mark.parametrize(
    ("name", "accuracy", "severities"),
    [(HIDDEN, 0.5, ["warning"]), (HIDDEN, 0.9, []), (OUTPUT, 0.5, [])],
)
def test_flat_ends_that_training_began_with(
    name: str, accuracy: float, severities: list[str]
) -> None:
    """They count where it has not made up for them."""
    began = response(0, LOST, layers=[answer(name, saturated_fraction=1.0, local_gradient=0.0)])
    ended = response(NUM_STEPS, accuracy)
    known = facts(activation="tanh", output="sigmoid")
    findings = found(record(known=known, responses=[began, ended]), "saturated-layer")
    assert [finding.severity for finding in findings] == severities
    assert all(f.explanation.startswith("Before any training") for f in findings)
