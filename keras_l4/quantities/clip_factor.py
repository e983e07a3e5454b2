"""Clip factor: what clipping leaves of a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4.quantities._base import SAMPLED, Measured

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class ClipFactor(Measured):
    """‖consumed‖ / ‖gradient‖; 1 where nothing is clipped or the gradient is zero."""

    name = "clip_factor"
    unit = "1"
    when = SAMPLED
    pool = "clip_factor"
    reads_weights = False

    def measure(self, step: Step) -> Any:
        return step.clip_factors
