"""Update guard: skips updates whose gradients are not finite, if the user asked for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import safe_norms
from keras_l4.recorder.config import GuardMode
from keras_l4.recorder.gradient_pipeline import GradientPipeline, StepGradients
from keras_l4.records.block import SKIPPED_BY_GUARD


class UpdateGuard:
    """Decides on the device whether the update of a step is applied.

    Dynamic loss scaling skips such updates itself, and has to see their gradients to adapt its
    scale, so the guard does not skip updates under loss scaling. The exception are several
    replicas: Keras checks the gradients of the first replica only, so there the guard skips them.

    Args:
        mode: `"skip"` skips every update that is not finite; `"skip_all_after"` also skips all
            updates that follow the first of them.
        gradient_pipeline: The gradients of the optimizer.
    """

    def __init__(self, mode: GuardMode, gradient_pipeline: GradientPipeline) -> None:
        self._skips_all_after = mode == "skip_all_after"
        self._gradient_pipeline = gradient_pipeline
        self._has_loss_scaling = gradient_pipeline.inner is not gradient_pipeline.optimizer
        # [an update of this train step was skipped, all following updates are skipped]
        self.state = backend.ring_buffer.create(
            "keras_l4_guard", (2,), "int", gradient_pipeline.variables[0]
        )

    def should_skip(self, step_gradients: StepGradients, has_nonfinite_norm: Any) -> Any:
        """Returns True if the update of this step is to be skipped, and notes it in `state`.

        Args:
            step_gradients: The gradients of the step.
            has_nonfinite_norm: True if the norm of a recorded gradient is not finite.
        """
        unrecorded = step_gradients.unrecorded()
        # The norm of finite gradients may overflow. The elements are checked only if a norm is not
        # finite, since that takes another pass over them.
        is_nonfinite = backend.core.cond(
            has_nonfinite_norm | self._has_nonfinite_norm(unrecorded),
            lambda: ~_all_finite([*step_gradients.gradients, *unrecorded]),
            lambda: ops.convert_to_tensor(False),
        )
        has_skipped, skips_all = (ops.convert_to_tensor(self.state)[i] > 0 for i in range(2))
        skips = is_nonfinite | skips_all
        skips_all = skips & (self._skips_all_after and not self._has_loss_scaling)
        self.state.assign(
            backend.ring_buffer.concat_flat([has_skipped | skips, skips_all], self.state.dtype)
        )
        is_left_to_loss_scaling = (
            self._has_loss_scaling and not backend.distribution.is_replicated()
        )
        return False if is_left_to_loss_scaling else backend.core.to_flag(skips)

    def apply(self, update: Callable[[], None], should_skip: Any) -> None:
        """Runs `update` unless `should_skip`."""
        if should_skip is False:
            # Known before the step runs: loss scaling decides, and `tf.cond` takes no Python bool.
            update()
            return
        pipeline = self._gradient_pipeline
        # Only the inner optimizer's variables: skipped steps, too, adapt the loss scale.
        state = [*pipeline.all_variables, *pipeline.inner.variables]
        backend.core.apply_unless(should_skip, update, state)

    def apply_on_other_replica(
        self, update: Callable[[], None], step_gradients: StepGradients
    ) -> None:
        """Runs `update` unless it is to be skipped, on a replica that does not record.

        The gradients are summed over replicas already, so that every replica decides alike.
        """
        has_nonfinite_norm = self._has_nonfinite_norm(step_gradients.gradients)
        self.apply(update, self.should_skip(step_gradients, has_nonfinite_norm))

    def skip_reason(self, is_skipped: Any, skipped_by_guard: Any) -> Any:
        """Returns 0 if the update was applied, `SKIPPED_BY_GUARD`, or 1 for loss scaling."""
        return ops.where(
            skipped_by_guard & (not self._has_loss_scaling),
            SKIPPED_BY_GUARD,
            ops.cast(is_skipped, "int32"),
        )

    def reset(self) -> None:
        """Applies updates again, until the next one that is not finite."""
        self.state.assign([0, 0])

    def _has_nonfinite_norm(self, gradients: Sequence[Any]) -> Any:
        if not gradients:
            return False
        return ~backend.core.all_true(ops.isfinite(safe_norms(gradients)))


def _all_finite(tensors: Sequence[Any]) -> Any:
    # One flag per tensor: a sum of finite numbers may overflow.
    return backend.core.all_true(ops.stack([ops.all(ops.isfinite(x)) for x in tensors]))
