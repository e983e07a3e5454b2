"""A third of the learning rate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import Remedy, ReplayContext

_FACTOR = 0.3


class SmallerLearningRate(Remedy):
    """From the first of the recorded steps on; a schedule keeps its shape."""

    name = f"learning rate x {_FACTOR}"

    @contextlib.contextmanager
    def given(self, patient: ReplayContext) -> Iterator[Capsule]:
        with contextlib.ExitStack() as undo:
            for part in patient.optimizers:
                undo.enter_context(keras_internals.scaled_learning_rate(part, _FACTOR))
            yield patient.capsule
