"""Moments: the mean second moment of each variable, from which its effective rate comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.recorder.effective_rate import AdaptiveRate, Rate
from keras_l4.recorder.gradient_pipeline import GradientPipeline
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.step import PendingStep

Slots = Callable[[], Sequence[Any]]


class SecondMomentTracker:
    """Follows the mean second moments at next to no cost, and looks them up where that fails.

    Args:
        rate: The optimizer's effective learning rate.
        layout: What is recorded.
        consumption: Where the slots are.
        xla: Whether XLA compiles the step.
    """

    def __init__(
        self, rate: Rate, layout: Layout, consumption: GradientPipeline, xla: bool
    ) -> None:
        shape, beside = (len(layout.variables),), consumption.variables[0]
        self.means = backend.ring_buffer.new_ring("keras_l4_moments", shape, "float32", beside)
        self._rate = rate
        self._layout = layout
        self._consumption = consumption
        self._xla = xla
        # A slot in half precision is rounded at every step, which the recursion is not.
        self._are_wide = all(v.dtype in ("float32", "float64") for v in layout.variables)
        self._roots = np.sqrt(np.maximum(layout.sizes, 1)).astype("float32")

    def slots_before(self) -> Slots:
        """Gives what has to be kept of the slots before an update, for `of_elements` after it."""
        if not isinstance(self._rate, AdaptiveRate):
            return list
        return backend.core.snapshot_variables(
            True, self._rate.slots_before(self._consumption.slots), self._xla
        )

    def of_elements(self, before: Slots) -> list[Any]:
        """The second moment of every element; empty tensors for a method without one."""
        if isinstance(self._rate, AdaptiveRate):
            moments = self._rate.second_moments(self._consumption.slots, before())
            return [backend.core.read_variable(moment, self._xla) for moment in moments]
        return [ops.zeros((0,), "float32") for _ in self._layout.variables]

    def from_slots(self, before: Slots) -> Any:
        """The means, `float32[variables]`, taken over the elements."""
        return backend.reductions.means(self.of_elements(before))

    def look_up(self) -> None:
        """Takes the means from the slots, for steps that were not recorded."""
        self.means.assign(self.from_slots(self.slots_before()))

    def after(self, begun: PendingStep, skipped: Any) -> Any:
        """The means after a step, unless it was skipped: from its norms where they tell."""
        taken = begun.taken
        as_is = taken.all_dense and taken.consumed is None
        advanced = self._advanced(begun.norms, taken.is_update & ~skipped) if as_is else None
        return self.from_slots(begun.slots) if advanced is None else advanced

    def _advanced(self, norms: Any, applied: Any) -> Any:
        """The means after a step whose consumed gradients have these norms, where `applied`.

        None where the norms do not tell.
        """
        held = backend.core.read_variable(self.means, self._xla)
        if not isinstance(self._rate, AdaptiveRate):
            return held
        root = backend.core.optimization_barrier(norms / backend.core.constant(self._roots, norms))
        mean_square = root * root
        advanced = self._rate.advance(held, mean_square)
        if advanced is None or not self._are_wide:
            return None
        return backend.core.where(applied, advanced, held)
