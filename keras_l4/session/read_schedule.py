"""ReadSchedule: when the host reads what the device has recorded."""

from __future__ import annotations

import time

from keras_l4 import backend
from keras_l4.recorder.capacity import RingCapacity

SECONDS_BETWEEN_READS = 5.0
# The last 1/16 of the steps between two reads run while the host copies those before them.
_PREFETCH_DIVISOR = 16


class ReadSchedule:
    """Counts the steps and the seconds since the last read.

    Args:
        every: Number of steps between two sampled steps.
        steps_per_execution: Number of steps between two opportunities to read.
        prefetches: Whether rows may be requested a few steps before they are read, which keeps
            the device busy while the host reads. Reads then follow each other more closely, so
            that each step is still read within `flush_every` steps.
    """

    def __init__(self, every: int, steps_per_execution: int, prefetches: bool = True) -> None:
        self._every, self._steps_per_execution = every, steps_per_execution
        self._prefetches = prefetches
        self._num_unread = self._num_unrequested = self._num_samples_unrequested = 0
        self._time_of_read = time.monotonic()

    def begin_execution(self) -> None:
        """Counts the steps of the execution that begins."""
        self._num_unread += self._steps_per_execution
        self._num_unrequested += self._steps_per_execution
        self._num_samples_unrequested += self._steps_per_execution

    def is_timed_out(self) -> bool:
        """Returns True if all steps should be read now, however few there are.

        With several processes it is always False: they must read at the same step, since the
        result may end training, and their clocks differ.
        """
        is_late = time.monotonic() - self._time_of_read >= SECONDS_BETWEEN_READS
        return is_late and not backend.distribution.has_other_processes()

    def is_read_due(self, capacity: RingCapacity) -> bool:
        """Returns True if there are enough steps for a read."""
        return self._num_unread >= capacity.flush_every

    def is_request_due(self, capacity: RingCapacity) -> bool:
        """Returns True if the steps so far should be requested now, and read a little later."""
        num_ahead = capacity.flush_every // _PREFETCH_DIVISOR if self._prefetches else 0
        return 0 < capacity.flush_every - self._num_unread <= num_ahead

    def are_samples_due(self, capacity: RingCapacity, num_read: int) -> bool:
        """Returns True if the next execution might overwrite samples that were not requested.

        Args:
            capacity: Sizes of the ring buffers.
            num_read: Number of steps that were read so far.
        """
        end = num_read + self._num_unread
        begin = end - self._num_samples_unrequested
        num_pending = self._num_sampled(end) - self._num_sampled(begin)
        return num_pending + self._num_sampled(self._steps_per_execution) > capacity.samples

    def mark_samples_requested(self) -> None:
        """Counts all samples as requested."""
        self._num_samples_unrequested = 0

    def mark_requested(self) -> None:
        """Counts all steps and all samples as requested."""
        self._num_unrequested = self._num_samples_unrequested = 0

    def mark_read(self) -> None:
        """Counts all requested steps as read."""
        self._num_unread = self._num_unrequested
        self._time_of_read = time.monotonic()

    def _num_sampled(self, num_steps: int) -> int:
        """Returns how many of the first `num_steps` steps are regular sampled steps."""
        return -(-num_steps // self._every)
