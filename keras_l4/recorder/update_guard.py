"""Guard: holds updates back whose gradients are not finite, where the user asked for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import safe_norms
from keras_l4.recorder.config import GuardMode
from keras_l4.recorder.gradient_pipeline import GradientPipeline, StepGradients
from keras_l4.records.block import SKIPPED_BY_GUARD


class UpdateGuard:
    """Decides on the device whether the update of a step is applied.

    Loss scaling holds such updates back itself, and has to see them to find its scale. Of several
    replicas it looks at the first one only: there they are held back here, too.

    Args:
        mode: `"skip"` holds back each of them; `"latch"` that and all that follow.
        consumption: How the optimizer treats gradients.
    """

    def __init__(self, mode: GuardMode, consumption: GradientPipeline) -> None:
        self._latches = mode == "latch"
        self._consumption = consumption
        self._is_scaled = consumption.inner is not consumption.optimizer
        # Whether an update was held back since the train step began, and ever.
        self.state = backend.ring_buffer.new_ring(
            "keras_l4_guard", (2,), "int", consumption.variables[0]
        )

    def holds(self, taken: StepGradients, suspicious: Any) -> Any:
        """Whether the update of this step is to be held back.

        Args:
            taken: The gradients of the step.
            suspicious: Whether a norm of those that are recorded is not finite.
        """
        rest = taken.unrecorded()
        is_bad = backend.core.cond(
            suspicious | self._suspects(rest),
            lambda: ~_all_finite([*taken.gradients, *rest]),
            lambda: ops.convert_to_tensor(False),
        )
        in_this_step, latched = (ops.convert_to_tensor(self.state)[i] > 0 for i in range(2))
        holds = is_bad | latched
        latches = holds & (self._latches and not self._is_scaled)
        self.state.assign(
            backend.ring_buffer.concat_flat([in_this_step | holds, latches], self.state.dtype)
        )
        is_left_to_scaling = self._is_scaled and not backend.distribution.is_replicated()
        return False if is_left_to_scaling else backend.core.to_flag(holds)

    def run(self, update: Callable[[], None], holds: Any) -> None:
        """Runs `update`, unless it is held back."""
        consumption = self._consumption
        # The inner optimizer's: the scale is found by updates that are held back, too.
        state = [*consumption.built_with, *consumption.inner.variables]
        backend.core.apply_unless(holds, update, state)

    def follow(self, update: Callable[[], None], taken: StepGradients) -> None:
        """Runs `update` on another replica than the one that records, unless that holds it back.

        The gradients are summed already: both come to the same conclusion, and state.
        """
        self.run(update, self.holds(taken, self._suspects(taken.gradients)))

    def why(self, skipped: Any, holds: Any) -> Any:
        """Why a step was not applied, as `HELD` says."""
        return ops.where(
            holds & (not self._is_scaled), SKIPPED_BY_GUARD, ops.cast(skipped, "int32")
        )

    def release(self) -> None:
        """Holds nothing back until the next bad step."""
        self.state.assign([0, 0])

    def _suspects(self, gradients: Any) -> Any:
        if not gradients:
            return False
        return ~backend.core.all_true(ops.isfinite(safe_norms(gradients)))


def _all_finite(tensors: Any) -> Any:
    """A scalar; a sum of finite numbers may overflow, so that each is looked at."""
    return backend.core.all_true(ops.stack([ops.all(ops.isfinite(x)) for x in tensors]))
