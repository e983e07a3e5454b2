"""Replicas and processes on torch: Keras trains on one device, in one process."""

from keras_l4.backend.common.single_process import (
    gather_to_host,
    has_other_processes,
    is_first_process,
)
from keras_l4.backend.common.single_replica import (
    all_reduce_sum,
    is_recording_replica,
    is_replicated,
)

__all__ = [
    "all_reduce_sum",
    "gather_to_host",
    "has_other_processes",
    "is_first_process",
    "is_recording_replica",
    "is_replicated",
]
