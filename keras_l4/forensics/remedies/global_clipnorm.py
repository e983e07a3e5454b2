"""Clips the gradients to a global norm of 1."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import Remedy, ReplayContext, with_attributes


class GlobalClipnorm(Remedy):
    """Gradient clipping by global norm (Pascanu, Mikolov, Bengio 2013).

    Replaces other clipping of the optimizer, since Keras allows only one kind.
    """

    name = "global_clipnorm 1"

    @contextlib.contextmanager
    def applied(self, context: ReplayContext) -> Iterator[Capsule]:
        clipping = {"clipnorm": None, "clipvalue": None, "global_clipnorm": 1.0}
        with with_attributes(context.optimizers, **clipping):
            yield context.capsule
