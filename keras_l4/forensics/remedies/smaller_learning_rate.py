"""Multiplies the learning rate by 0.3."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import Remedy, ReplayContext

_FACTOR = 0.3


class SmallerLearningRate(Remedy):
    """Scales the learning rate of all recorded steps; a schedule keeps its shape."""

    name = f"learning rate x {_FACTOR}"

    @contextlib.contextmanager
    def applied(self, context: ReplayContext) -> Iterator[Capsule]:
        with contextlib.ExitStack() as stack:
            for optimizer in context.optimizers:
                stack.enter_context(keras_internals.scaled_learning_rate(optimizer, _FACTOR))
            yield context.capsule
