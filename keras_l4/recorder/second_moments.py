"""The mean second moment of each variable, from which its effective learning rate is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.backend.interface import Tensor
from keras_l4.recorder.effective_rate import AdaptiveRate, EffectiveRate
from keras_l4.recorder.gradient_pipeline import GradientPipeline
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.step import PendingStep

Slots: TypeAlias = Callable[[], Sequence[Tensor]]


class SecondMomentTracker:
    """Tracks each variable's mean second moment, without reading every slot at every step.

    The mean advances by the same recursion as the slots, from the gradient norm: the mean of g² is
    ‖g‖² / size. Where that does not apply, the mean is computed from the slots.

    Args:
        rate: The optimizer's effective learning rate.
        layout: The recorded variables.
        gradient_pipeline: Supplies the positions of the slots.
        xla: True if XLA compiles the step.
    """

    def __init__(
        self, rate: EffectiveRate, layout: Layout, gradient_pipeline: GradientPipeline, xla: bool
    ) -> None:
        self.means = backend.ring_buffer.create(
            "keras_l4_moments",
            (len(layout.variables),),
            "float32",
            gradient_pipeline.variables[0],
        )
        self._rate = rate
        self._num_variables = len(layout.variables)
        self._slot_indices = gradient_pipeline.slot_indices
        self._xla = xla
        # A slot in half precision is rounded at every step. The recursion is not, and would drift
        # away from it.
        self._has_wide_slots = all(v.dtype in ("float32", "float64") for v in layout.variables)
        self._root_sizes = np.sqrt(np.maximum(layout.sizes, 1)).astype("float32")

    def snapshot_slots(self) -> Slots:
        """Copies the slots whose pre-update values the rate needs. Call it before the update."""
        if not isinstance(self._rate, AdaptiveRate):
            return list
        slots = self._rate.pre_update_slots(self._slot_indices)
        return backend.core.snapshot_variables(True, slots, self._xla)

    def per_element(self, slots: Slots) -> list[Tensor]:
        """Returns the second moment of every element; empty tensors if the optimizer has none.

        Args:
            slots: Result of `snapshot_slots`, taken before the update.
        """
        if isinstance(self._rate, AdaptiveRate):
            moments = self._rate.second_moments(self._slot_indices, slots())
            return [backend.core.read_variable(moment, self._xla) for moment in moments]
        return [ops.zeros((0,), "float32") for _ in range(self._num_variables)]

    def reset_from_slots(self) -> None:
        """Sets the means from the slots, after steps that were not recorded."""
        self.means.assign(self._means_from_slots(self.snapshot_slots()))

    def advance(self, pending: PendingStep, is_skipped: Any) -> Tensor:
        """Returns the means after a step, `float32[variables]`; unchanged if it was skipped."""
        step_gradients = pending.step_gradients
        advanced = None
        # The recursion is valid only if the recorded norms are those of the gradients that the
        # update uses.
        if step_gradients.all_dense and step_gradients.clipped is None:
            advanced = self._advance(pending.norms, step_gradients.is_update & ~is_skipped)
        return self._means_from_slots(pending.slots) if advanced is None else advanced

    def _means_from_slots(self, slots: Slots) -> Tensor:
        return backend.reductions.means(self.per_element(slots))

    def _advance(self, norms: Tensor, is_applied: Any) -> Tensor | None:
        """Returns the means by recursion; None if the rate or the dtype does not allow it."""
        means = backend.core.read_variable(self.means, self._xla)
        if not isinstance(self._rate, AdaptiveRate):
            return means
        # Square ‖g‖ / √size, not ‖g‖: the square of a norm above 1.8e19 overflows float32. Without
        # the barrier XLA rewrites it to ‖g‖² / size.
        root_mean_square = backend.core.optimization_barrier(
            norms / backend.core.constant(self._root_sizes, norms)
        )
        advanced = self._rate.advance_mean(means, root_mean_square * root_mean_square)
        if advanced is None or not self._has_wide_slots:
            return None
        return backend.core.where(is_applied, advanced, means)
