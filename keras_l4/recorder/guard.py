"""Guard: holds updates back whose gradients are not finite, where the user asked for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_l4 import backend
from keras_l4.recorder.block import HELD
from keras_l4.recorder.consumption import Consumption, Taken
from keras_l4.recorder.settings import GuardMode


class Guard:
    """Decides on the device whether the update of a step is applied.

    Loss scaling holds such updates back itself, and has to see them to find its scale. Of several
    replicas it looks at the first one only: there they are held back here, too.

    Args:
        mode: `"skip"` holds back each of them; `"latch"` that and all that follow.
        consumption: How the optimizer treats gradients.
    """

    def __init__(self, mode: GuardMode, consumption: Consumption) -> None:
        self._latches = mode == "latch"
        self._consumption = consumption
        self._is_scaled = consumption.inner is not consumption.optimizer
        # Whether an update was held back since the train step began, and ever.
        self.state = backend.ring("keras_l4_guard", (2,), "int", consumption.variables[0])

    def holds(self, taken: Taken, suspicious: Any) -> Any:
        """Whether the update of this step is to be held back.

        Args:
            taken: The gradients of the step.
            suspicious: Whether a norm of those that are recorded is not finite.
        """
        rest = taken.unrecorded()
        is_bad = backend.cond(
            suspicious | self._suspects(rest),
            lambda: ~_all_finite([*taken.gradients, *rest]),
            lambda: ops.convert_to_tensor(False),
        )
        in_this_step, latched = (ops.convert_to_tensor(self.state)[i] > 0 for i in range(2))
        holds = is_bad | latched
        latches = holds & (self._latches and not self._is_scaled)
        self.state.assign(backend.row([in_this_step | holds, latches], self.state.dtype))
        is_left_to_scaling = self._is_scaled and not backend.is_replicated()
        return False if is_left_to_scaling else backend.known(holds)

    def run(self, update: Callable[[], None], holds: Any) -> None:
        """Runs `update`, unless it is held back."""
        consumption = self._consumption
        # The inner optimizer's: the scale is found by updates that are held back, too.
        state = [*consumption.built_with, *consumption.inner.variables]
        backend.unless(holds, update, state)

    def follow(self, update: Callable[[], None], taken: Taken) -> None:
        """Runs `update` on another replica than the one that records, unless that holds it back.

        The gradients are summed already: both come to the same conclusion, and state.
        """
        self.run(update, self.holds(taken, self._suspects(taken.gradients)))

    def why(self, skipped: Any, holds: Any) -> Any:
        """Why a step was not applied, as `HELD` says."""
        return ops.where(holds & (not self._is_scaled), HELD, ops.cast(skipped, "int32"))

    def release(self) -> None:
        """Holds nothing back until the next bad step."""
        self.state.assign([0, 0])

    def _suspects(self, gradients: Any) -> Any:
        if not gradients:
            return False
        return ~backend.every(ops.isfinite(backend.exact_norms(gradients)))


def _all_finite(tensors: Any) -> Any:
    """A scalar; a sum of finite numbers may overflow, so that each is looked at."""
    return backend.every(ops.stack([ops.all(ops.isfinite(x)) for x in tensors]))
