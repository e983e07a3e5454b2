from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keras_l4.records.metadata import ModelMetadata
from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, block, found, model_metadata, record


def half() -> ModelMetadata:
    metadata = model_metadata()
    layers = tuple(replace(layer, compute_dtype="float16") for layer in metadata.layers)
    return replace(metadata, layers=layers)


def test_lost_updates_are_a_warning() -> None:
    (finding,) = found(record(block(update_norm=0.0)), "underflow")
    assert (finding.evidence["kind"], finding.severity) == ("updates", "warning")


def test_zero_gradient_is_no_lost_update() -> None:
    assert found(record(block(gradient=0.0, update_norm=0.0)), "underflow") == []


def test_growing_zero_fraction_in_float16_is_a_warning() -> None:
    zeros = np.linspace(0.2, 0.9, NUM_STEPS)[:, None]
    steps = block(zero_fraction=zeros, subnormal_fraction=0.0)
    (finding,) = found(record(steps, half(), accuracy=CONSTANT_ACCURACY), "underflow")
    assert (finding.evidence["kind"], finding.severity) == ("gradients", "warning")
    assert (
        found(record(steps, accuracy=CONSTANT_ACCURACY), "underflow") == []
    )  # In float32, relu causes them.


def test_constant_zero_fraction_is_no_finding() -> None:
    steps = block(zero_fraction=0.9, subnormal_fraction=0.0)
    assert found(record(steps, half(), accuracy=CONSTANT_ACCURACY), "underflow") == []


def test_zero_gradient_of_all_float16_layers_is_a_warning() -> None:
    """As with a loss of 1e-6 without loss scaling."""
    steps = block(gradient=0.0, update_norm=0.0, zero_fraction=1.0)
    (finding,) = found(record(steps, half(), accuracy=CONSTANT_ACCURACY), "underflow")
    assert (finding.evidence["kind"], finding.severity) == ("gradients", "warning")
    assert found(record(steps, accuracy=CONSTANT_ACCURACY), "underflow") == []


@pytest.mark.parametrize("quantity", ["zero_fraction", "subnormal_fraction"])
def test_one_of_the_two_fractions_is_sufficient(quantity: str) -> None:
    steps = block(**{quantity: np.linspace(0.2, 0.9, NUM_STEPS)[:, None]})
    assert len(found(record(steps, half(), accuracy=CONSTANT_ACCURACY), "underflow")) == 1
