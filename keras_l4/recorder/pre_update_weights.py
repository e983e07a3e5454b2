"""Weights: as they are before an update, on the steps on which somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras_l4 import backend
from keras_l4.recorder.effective_rate import Rate
from keras_l4.recorder.gradient_pipeline import GradientPipeline
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.step import not_held


class PreUpdateWeights:
    """Holds the weights of a step until it is measured.

    Args:
        rate: The optimizer's effective learning rate.
        layout: What is recorded.
        consumption: Where the weights are.
        xla: Whether XLA compiles the step.
    """

    def __init__(
        self, rate: Rate, layout: Layout, consumption: GradientPipeline, xla: bool
    ) -> None:
        self._always, self._on_looks = rate.every_update, layout.reads_weights
        self._variables, self._xla = consumption.variables, xla
        on_looks_only = self._on_looks and not self._always
        self._kept = (
            backend.step_state.new_weight_buffer(self._variables, consumption.optimizer)
            if on_looks_only
            else None
        )

    @property
    def rings(self) -> list[Any]:
        """What is kept on the device from step to step."""
        return self._kept.rings if self._kept else []

    def before(self, looked: Any) -> Callable[[], Sequence[Any]]:
        """Gives them, after the update that is about to begin."""
        if self._always:
            return backend.core.snapshot_variables(True, self._variables, self._xla)
        if self._on_looks:
            return backend.core.snapshot_variables(looked, self._variables, self._xla, self._kept)
        return not_held

    def free(self) -> None:
        """Gives memory back, until `resume`."""
        if self._kept:
            self._kept.free()

    def resume(self) -> None:
        """Is ready for another step."""
        if self._kept:
            self._kept.resume()
