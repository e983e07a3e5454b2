"""The batch of the bad step, left out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.remedies._base import DoesNotApply, Remedy, ReplayContext


class WithoutBatch(Remedy):
    """The only one that helps against what is wrong with the data."""

    name = "without the batch"

    @contextlib.contextmanager
    def given(self, patient: ReplayContext) -> Iterator[Capsule]:
        batches = list(patient.capsule.batches)
        del batches[patient.position]
        if not batches:
            raise DoesNotApply("no other batch is recorded")
        yield dataclasses.replace(patient.capsule, batches=batches)
