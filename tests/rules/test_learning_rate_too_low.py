from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rules.records import (
    CONSTANT_ACCURACY,
    NUM_STEPS,
    block,
    found,
    model_metadata,
    probe_result,
    record,
)

SLOW = {"ratio": 1e-4, "loss": np.linspace(1.0, 0.98, NUM_STEPS)}


def test_weights_that_hardly_move_are_a_warning() -> None:
    (finding,) = found(record(block(**SLOW), accuracy=CONSTANT_ACCURACY), "learning-rate-too-low")
    assert finding.severity == "warning"
    assert finding.evidence["weight_path_length"] == pytest.approx(0.02)
    assert finding.evidence["steps_per_weight_norm"] == pytest.approx(1e4)


def test_skilled_model_is_no_finding() -> None:
    assert found(record(block(**SLOW)), "learning-rate-too-low") == []


def test_weights_that_move_are_no_finding() -> None:
    steps = block(**(SLOW | {"ratio": 0.01}))
    assert found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-too-low") == []


def test_layer_without_gradient_is_no_finding() -> None:
    steps = block(gradient=[0.0, 0.1, 0.1], **SLOW)
    assert found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-too-low") == []


def test_gradient_that_vanished_early_is_no_finding() -> None:
    """Without a gradient, a higher learning rate has no effect."""
    alive = np.arange(NUM_STEPS)[:, None] < NUM_STEPS // 5
    steps = block(gradient=np.where(alive, 0.1, 0.0) * np.ones(3), **SLOW)
    assert found(record(steps, accuracy=CONSTANT_ACCURACY), "learning-rate-too-low") == []


def test_pretrained_model_gets_info() -> None:
    metadata = replace(model_metadata(), iterations=1000)
    run = record(block(**SLOW), metadata, accuracy=CONSTANT_ACCURACY)
    assert [f.severity for f in found(run, "learning-rate-too-low")] == ["info"]


def test_run_of_few_steps_is_no_finding() -> None:
    steps = block(num_steps=20, ratio=1e-4, loss=np.ones(20))
    run = record(steps, probes=[probe_result(20, CONSTANT_ACCURACY)])
    assert found(run, "learning-rate-too-low") == []


def test_short_run_with_a_good_update_ratio_is_no_finding() -> None:
    """One epoch of a healthy model with an update ratio of 0.002: it needs more steps."""
    steps = block(num_steps=57, ratio=2e-3, loss=np.linspace(2.3, 2.0, 57))
    run = record(steps, probes=[probe_result(57, CONSTANT_ACCURACY)])
    assert found(run, "learning-rate-too-low") == []
