"""Gradients clipped to a global norm of 1."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import Remedy, ReplayContext, changed


class GlobalClipnorm(Remedy):
    """Pascanu, Mikolov, Bengio 2013. Other clipping is off, since Keras allows one kind only."""

    name = "global_clipnorm 1"

    @contextlib.contextmanager
    def given(self, patient: ReplayContext) -> Iterator[Capsule]:
        with changed(patient.optimizers, clipnorm=None, clipvalue=None, global_clipnorm=1.0):
            yield patient.capsule
