"""A third of the learning rate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras_l4 import backend
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import Patient, Remedy

_FACTOR = 0.3


class SmallerLearningRate(Remedy):
    """From the first of the recorded steps on; a schedule keeps its shape."""

    name = f"learning rate x {_FACTOR}"

    @contextlib.contextmanager
    def given(self, patient: Patient) -> Iterator[Capsule]:
        with contextlib.ExitStack() as undo:
            for part in patient.optimizers:
                undo.enter_context(backend.scaled_learning_rate(part, _FACTOR))
            yield patient.capsule
