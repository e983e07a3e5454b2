"""Placement of rows and counters on torch; the other backends place tensors themselves."""

from __future__ import annotations

import keras
import pytest
from keras import ops

from keras_l4 import backend

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="the other backends place tensors themselves"
)


def test_row_is_on_the_device_of_its_parts() -> None:
    # The meta device stands in for an accelerator that this machine does not have.
    with keras.device("meta"):
        variable = keras.Variable(0.5, dtype="float32")
        parts = [2, variable, True, ops.ones((2,))]
    assert backend.ring_buffer.concat_flat(parts, "float32").device.type == "meta"
    assert backend.ring_buffer.concat_flat([1.0, variable], "float32").device.type == "meta"
    # Numbers that only the host knows, such as a learning rate from a callable, give a CPU tensor.
    cpu_tensor = backend.ring_buffer.concat_flat([0.1, 1.0], "float32")
    assert backend.ring_buffer.concat_flat([variable, cpu_tensor], "float32").device.type == "meta"


def test_counters_are_incremented_on_the_host() -> None:
    # Tensors on the meta device have no values: the test would fail if the counters were there.
    with keras.device("meta"):
        counters = backend.ring_buffer.create_counters("counters", 3, keras.Variable(0.5))
    backend.ring_buffer.increment_counters(
        counters, backend.ring_buffer.read_counters(counters), [1, True, False]
    )
    assert backend.ring_buffer.read_counters(counters) == [1, 1, 0]
