"""The array of a JAX variable, without the work that its public properties do."""

from __future__ import annotations

from typing import Any

import keras


def raw_value(variable: keras.Variable) -> Any:
    """Returns the tensor of `variable` itself; None if its memory was freed."""
    # `_value` is what Keras' JAX trainer reads and sets. The public `value` searches for scopes
    # and autocasts at each access, which for the ring buffers takes longer than a small step.
    return variable._value


def set_raw_value(variable: keras.Variable, value: Any) -> None:
    """Sets the tensor of `variable` without converting or checking it; None frees its memory."""
    # The public `assign` searches for scopes, too, and does not take None.
    variable._value = value
