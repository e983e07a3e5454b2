"""Moments: the mean second moment of each variable, from which its effective rate comes."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.recorder.consumption import Consumption
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.rate import AdaptiveRate, Rate


class Moments:
    """Follows the mean second moments at next to no cost, and looks them up where that fails.

    Args:
        rate: The optimizer's effective learning rate.
        layout: What is recorded.
        consumption: Where the slots are.
        xla: Whether XLA compiles the step.
    """

    def __init__(self, rate: Rate, layout: Layout, consumption: Consumption, xla: bool) -> None:
        self.means = backend.ring("keras_l4_moments", (len(layout.variables),), "float32")
        self._rate = rate
        self._layout = layout
        self._consumption = consumption
        self._xla = xla

    def of_elements(self) -> list[Any]:
        """The second moment of every element; empty tensors for a method without one."""
        if isinstance(self._rate, AdaptiveRate):
            slots = self._rate.second_moments(self._consumption.slots)
            return [backend.value(slot, self._xla) for slot in slots]
        return [ops.zeros((0,), "float32") for _ in self._layout.variables]

    def from_slots(self) -> Any:
        """The means, `float32[variables]`, taken over the elements."""
        return backend.means(self.of_elements())

    def look_up(self) -> None:
        """Takes the means from the slots, for steps that were not recorded."""
        self.means.assign(self.from_slots())

    def advanced(self, norms: Any, applied: Any) -> Any:
        """The means after a step whose consumed gradients have these norms, where `applied`."""
        held = ops.convert_to_tensor(self.means)
        if not isinstance(self._rate, AdaptiveRate):
            return held
        if not (self._rate.recursive and self._is_wide()):
            return self.from_slots()
        roots = np.sqrt(np.maximum(self._layout.sizes, 1)).astype("float32")
        mean_square = ops.square(backend.pinned(ops.divide(norms, roots)))
        return ops.where(applied, self._rate.advance(held, mean_square), held)

    def _is_wide(self) -> bool:
        """A slot in half precision is rounded at every step, which the recursion is not."""
        return all(v.dtype in ("float32", "float64") for v in self._layout.variables)
