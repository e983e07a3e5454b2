from __future__ import annotations

from typing import Any

import pytest

from tests.rules.records import (
    CONSTANT_ACCURACY,
    found,
    model_metadata,
    record,
    variable_metadata,
    variables,
)


def run(accuracy: float = CONSTANT_ACCURACY, iterations: int = 0, **changes: Any) -> object:
    metadata = tuple(variable_metadata(v, **changes) for v in variables(3))
    return record(
        metadata=model_metadata(variables=metadata, iterations=iterations), accuracy=accuracy
    )


@pytest.mark.parametrize(
    ("changes", "kind"), [({"std": 0.01}, "small"), ({"std": 20.0}, "large"),
                          ({"is_symmetric": True, "std": 0.0, "mean": 0.5}, "equal")],
)  # fmt: skip
def test_weights_of_a_wrong_scale_are_reported(changes: dict[str, Any], kind: str) -> None:
    for accuracy, severity in ((CONSTANT_ACCURACY, "warning"), (0.9, "info")):
        (finding,) = found(run(accuracy, **changes), "poor-initialization")
        assert (finding.evidence["kind"], finding.severity) == (kind, severity)


@pytest.mark.parametrize("std", [0.35, 0.5, 0.7])
def test_glorot_lecun_and_he_are_no_finding(std: float) -> None:
    assert found(run(std=std), "poor-initialization") == []


def test_trained_weights_are_no_finding() -> None:
    assert found(run(iterations=100, std=0.01), "poor-initialization") == []


def test_equal_weights_of_the_last_layer_are_no_finding() -> None:
    metadata = tuple(variable_metadata(v, is_symmetric=v.layer == "dense_2") for v in variables(3))
    assert (
        found(
            record(metadata=model_metadata(variables=metadata), accuracy=CONSTANT_ACCURACY),
            "poor-initialization",
        )
        == []
    )
