from __future__ import annotations

import numpy as np
import pytest

from tests.rules.records import (
    CONSTANT_ACCURACY,
    NUM_STEPS,
    activation_stats,
    block,
    found,
    model_metadata,
    probe_result,
    record,
)


def probes(dead: float, accuracy: float) -> list[object]:
    layers = [
        activation_stats("dense_0", dead_unit_fraction=dead),
        activation_stats("dense_1"),
        activation_stats("dense_2"),
    ]
    return [probe_result(0, CONSTANT_ACCURACY), probe_result(NUM_STEPS, accuracy, layers=layers)]


@pytest.mark.parametrize(
    ("dead", "accuracy", "severity"),
    [(1.0, CONSTANT_ACCURACY, "error"), (1.0, 0.5, "warning"), (1.0, 0.9, "info"), (0.8, CONSTANT_ACCURACY, "warning"),
     (0.8, 0.9, "info")],
)  # fmt: skip
def test_severity_depends_on_dead_units_and_accuracy(
    dead: float, accuracy: float, severity: str
) -> None:
    (finding,) = found(record(probes=probes(dead, accuracy)), "dead-layer")
    assert (finding.severity, finding.layers) == (severity, ("dense_0",))
    assert finding.first_step == NUM_STEPS


def test_half_of_the_units_dead_is_no_finding() -> None:
    assert found(record(probes=probes(0.5, CONSTANT_ACCURACY)), "dead-layer") == []


def test_only_rectifiers_are_checked() -> None:
    run = record(metadata=model_metadata(activation="tanh"), probes=probes(1.0, CONSTANT_ACCURACY))
    assert found(run, "dead-layer") == []


def test_zero_gradient_is_reported_without_a_probe() -> None:
    steps = block(gradient=[0.0, 0.1, 0.1], loss=np.ones(NUM_STEPS))
    (finding,) = found(record(steps, probes=[]), "dead-layer")
    assert (finding.severity, finding.layers) == ("error", ("dense_0",))
