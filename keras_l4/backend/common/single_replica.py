"""JAX and torch: no model replicas that could be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

DeduplicatedAllReduce = keras.optimizers.Optimizer


def is_replicated() -> bool:
    """Whether this is one of several replicas that train together: it never is."""
    return False


def is_recording_replica() -> bool:
    """Whether this replica keeps the record: there is no other."""
    return True


def all_reduce_sum(gradients: Sequence[Any]) -> Sequence[Any]:
    """The gradients, summed over the replicas: as they are."""
    return gradients
