from __future__ import annotations

from typing import Any

import pytest

from tests.rules.records import LOST, facts, found, record, variable_facts, variables


def run(accuracy: float = LOST, iterations: int = 0, **changes: Any) -> object:
    known = tuple(variable_facts(v, **changes) for v in variables(3))
    return record(known=facts(variables=known, iterations=iterations), accuracy=accuracy)


@pytest.mark.parametrize(
    ("changes", "kind"), [({"std": 0.01}, "small"), ({"std": 20.0}, "large"),
                          ({"symmetric": True, "std": 0.0, "mean": 0.5}, "equal")],
)  # fmt: skip
def test_weights_that_do_not_fit(changes: dict[str, Any], kind: str) -> None:
    for accuracy, severity in ((LOST, "warning"), (0.9, "info")):
        (finding,) = found(run(accuracy, **changes), "poor-initialization")
        assert (finding.evidence["kind"], finding.severity) == (kind, severity)


@pytest.mark.parametrize("std", [0.35, 0.5, 0.7])
def test_silent_on_glorot_lecun_and_he(std: float) -> None:
    assert found(run(std=std), "poor-initialization") == []


def test_silent_on_weights_that_were_trained() -> None:
    assert found(run(iterations=100, std=0.01), "poor-initialization") == []


def test_equal_weights_of_the_last_layer_are_usual() -> None:
    known = tuple(variable_facts(v, symmetric=v.layer == "dense_2") for v in variables(3))
    assert found(record(known=facts(variables=known), accuracy=LOST), "poor-initialization") == []
