"""A hundred times the optimizer's ε."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import DoesNotApply, Remedy, ReplayContext, changed

_FACTOR = 100


class LargerEpsilon(Remedy):
    """Where slots are near zero, ε alone bounds the update."""

    name = f"epsilon x {_FACTOR}"

    @contextlib.contextmanager
    def given(self, patient: ReplayContext) -> Iterator[Capsule]:
        with_epsilon = [part for part in patient.optimizers if "epsilon" in part.get_config()]
        if not with_epsilon:
            raise DoesNotApply("the optimizer has no epsilon")
        with contextlib.ExitStack() as undo:
            for part in with_epsilon:
                undo.enter_context(changed([part], epsilon=part.epsilon * _FACTOR))
            yield patient.capsule
