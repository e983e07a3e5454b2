from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keras_l4.records.metadata import ModelMetadata
from tests.rules.records import LOST, NUM_STEPS, block, facts, found, record


def half() -> ModelMetadata:
    known = facts()
    layers = tuple(replace(layer, compute_dtype="float16") for layer in known.layers)
    return replace(known, layers=layers)


def test_updates_that_are_rounded_away() -> None:
    (finding,) = found(record(block(update_norm=0.0)), "underflow")
    assert (finding.evidence["kind"], finding.severity) == ("swallowed", "warning")


def test_a_layer_without_gradient_has_no_update_to_lose() -> None:
    assert found(record(block(gradient=0.0, update_norm=0.0)), "underflow") == []


def test_zeros_that_grow_in_float16() -> None:
    zeros = np.linspace(0.2, 0.9, NUM_STEPS)[:, None]
    steps = block(zero_fraction=zeros, subnormal_fraction=0.0)
    (finding,) = found(record(steps, half(), accuracy=LOST), "underflow")
    assert (finding.evidence["kind"], finding.severity) == ("flushed", "warning")
    assert found(record(steps, accuracy=LOST), "underflow") == []  # In float32 they are relu's.


def test_zeros_that_were_there_from_the_start_are_of_relu() -> None:
    steps = block(zero_fraction=0.9, subnormal_fraction=0.0)
    assert found(record(steps, half(), accuracy=LOST), "underflow") == []


def test_a_gradient_of_which_nothing_is_left_in_any_layer() -> None:
    """A loss of millionths, without loss scaling."""
    steps = block(gradient=0.0, update_norm=0.0, zero_fraction=1.0)
    (finding,) = found(record(steps, half(), accuracy=LOST), "underflow")
    assert (finding.evidence["kind"], finding.severity) == ("flushed", "warning")
    assert found(record(steps, accuracy=LOST), "underflow") == []


@pytest.mark.parametrize("quantity", ["zero_fraction", "subnormal_fraction"])
def test_one_of_the_two_shares_is_enough(quantity: str) -> None:
    steps = block(**{quantity: np.linspace(0.2, 0.9, NUM_STEPS)[:, None]})
    assert len(found(record(steps, half(), accuracy=LOST), "underflow")) == 1
