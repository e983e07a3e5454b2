"""Leaves out the batch of the first non-finite step."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import NotApplicable, Remedy, ReplayContext


class WithoutBatch(Remedy):
    """Skips the batch. The only remedy against non-finite data."""

    name = "without the batch"

    @contextlib.contextmanager
    def applied(self, context: ReplayContext) -> Iterator[Capsule]:
        batches = list(context.capsule.batches)
        del batches[context.position]
        if not batches:
            raise NotApplicable("the capsule has no other batch")
        yield dataclasses.replace(context.capsule, batches=batches)
