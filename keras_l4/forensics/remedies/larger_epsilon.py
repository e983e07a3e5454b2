"""Multiplies the optimizer's epsilon by a hundred."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import (
    NotApplicable,
    Remedy,
    ReplayContext,
    with_attributes,
)

_FACTOR = 100


class LargerEpsilon(Remedy):
    """Limits the update of weights whose second moment is near zero."""

    name = f"epsilon x {_FACTOR}"

    @contextlib.contextmanager
    def applied(self, context: ReplayContext) -> Iterator[Capsule]:
        optimizers = [opt for opt in context.optimizers if "epsilon" in opt.get_config()]
        if not optimizers:
            raise NotApplicable("the optimizer has no epsilon")
        with contextlib.ExitStack() as stack:
            for optimizer in optimizers:
                stack.enter_context(
                    with_attributes([optimizer], epsilon=optimizer.epsilon * _FACTOR)
                )
            yield context.capsule
