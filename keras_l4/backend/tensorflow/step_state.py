"""Drafts: TensorFlow traces a step that creates variables, throws that away, and traces it again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_l4.backend.common.captured_state import (
    STATE_IS_FUNCTIONAL,
    adopt_from_optimizer_variables,
    expose_in_optimizer_variables,
    exposed_rings,
    new_weight_buffer,
    thread_through_step,
)

__all__ = [
    "STATE_IS_FUNCTIONAL",
    "adopt_from_optimizer_variables",
    "discarded_trace_check",
    "expose_in_optimizer_variables",
    "exposed_rings",
    "new_weight_buffer",
    "thread_through_step",
]

_CLASSES: list[Any] = [c for c in vars(keras.optimizers).values() if isinstance(c, type)]
_BUILDS_OF_KERAS = {c.build for c in _CLASSES if issubclass(c, keras.optimizers.Optimizer)}


def discarded_trace_check(optimizers: Sequence[Any]) -> Callable[[], bool]:
    """To be called where `optimizer` was built: tells later whether this is still a draft.

    What a draft measures nobody reads, and to trace it takes seconds. TensorFlow runs it all the
    same where it cannot take the initial values out of it; those of Keras' optimizers are
    constants, those of others may depend on a batch.
    """
    if tf.executing_eagerly() or any(type(o).build not in _BUILDS_OF_KERAS for o in optimizers):
        return lambda: False
    # A reference would keep the graph in memory.
    built_in = weakref.ref(tf.compat.v1.get_default_graph())
    return lambda: built_in() is tf.compat.v1.get_default_graph()
