"""Copies of the weights from before an update, on the steps on which a quantity reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras_l4 import backend
from keras_l4.recorder.effective_rate import EffectiveRate
from keras_l4.recorder.gradient_pipeline import GradientPipeline
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.step import weights_not_recorded


class PreUpdateWeights:
    """Copies the weights before an update, so that they can be compared with those after it.

    Args:
        rate: The optimizer's effective learning rate.
        layout: The recorded quantities.
        gradient_pipeline: Supplies the recorded variables.
        xla: True if XLA compiles the step.
    """

    def __init__(
        self, rate: EffectiveRate, layout: Layout, gradient_pipeline: GradientPipeline, xla: bool
    ) -> None:
        self._on_every_step, self._on_sampled_steps = rate.reads_updates, layout.reads_weights
        self._variables, self._xla = gradient_pipeline.variables, xla
        # JAX on CPUs needs a buffer to copy in a branch. Copies at every step need none.
        self._buffer = (
            backend.step_state.create_weight_buffer(self._variables, gradient_pipeline.optimizer)
            if self._on_sampled_steps and not self._on_every_step
            else None
        )

    @property
    def rings(self) -> list[Any]:
        """The variables that stay on the device between steps."""
        return self._buffer.rings if self._buffer else []

    def snapshot(self, is_sampled: Any) -> Callable[[], Sequence[Any]]:
        """Copies the weights if a quantity may read them on this step. Call it before the update.

        Returns:
            A function that returns the copies or, if no quantity reads weights, a function that
            raises a RuntimeError.
        """
        if self._on_every_step:
            return backend.core.snapshot_variables(True, self._variables, self._xla)
        if self._on_sampled_steps:
            return backend.core.snapshot_variables(
                is_sampled, self._variables, self._xla, self._buffer
            )
        return weights_not_recorded

    def free(self) -> None:
        """Frees the buffer until `resume`."""
        if self._buffer:
            self._buffer.free()

    def resume(self) -> None:
        """Allocates the buffer again."""
        if self._buffer:
            self._buffer.resume()
