"""Step state on TensorFlow: captured by the graph, which may be traced twice."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_l4.backend.common.captured_state import (
    STATE_IS_FUNCTIONAL,
    adopt_from_optimizer_variables,
    create_weight_buffer,
    expose_in_optimizer_variables,
    exposed_rings,
    thread_rings_through,
)

__all__ = [
    "STATE_IS_FUNCTIONAL",
    "adopt_from_optimizer_variables",
    "create_weight_buffer",
    "discarded_trace_detector",
    "expose_in_optimizer_variables",
    "exposed_rings",
    "thread_rings_through",
]

_CLASSES: list[Any] = [c for c in vars(keras.optimizers).values() if isinstance(c, type)]
_BUILD_METHODS_OF_KERAS = {c.build for c in _CLASSES if issubclass(c, keras.optimizers.Optimizer)}


def discarded_trace_detector(optimizers: Sequence[Any]) -> Callable[[], bool]:
    # TensorFlow traces a step that creates variables, discards the graph and traces the step again.
    # It keeps the first graph if it cannot compute the initial values outside of it. The slots of
    # Keras' optimizers start with constants; those of other optimizers may depend on the batch.
    is_stock = all(type(o).build in _BUILD_METHODS_OF_KERAS for o in optimizers)
    if tf.executing_eagerly() or not is_stock:
        return lambda: False
    # A strong reference would keep the discarded graph in memory.
    first_graph = weakref.ref(tf.compat.v1.get_default_graph())
    return lambda: first_graph() is tf.compat.v1.get_default_graph()
