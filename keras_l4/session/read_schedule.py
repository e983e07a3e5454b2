"""Pace: when what lies on the device is read."""

from __future__ import annotations

import time

from keras_l4 import backend
from keras_l4.recorder.capacity import RingCapacity

SECONDS_BETWEEN_READS = 5.0
# Of the steps between two read-outs, one in so many runs while the host reads the others.
_AHEAD = 16


class ReadSchedule:
    """Counts the steps that were not read yet, and the time since others were.

    Args:
        every: Steps between two that are looked at closely.
        steps_per_execution: Steps between two occasions to read.
        asks_ahead: Whether steps may be asked for a little before they are read, so that the device
            is busy while the host reads. Reads are closer for that: each step is still read within
            `flush_every` steps.
    """

    def __init__(self, every: int, steps_per_execution: int, asks_ahead: bool = True) -> None:
        self._every, self._at_once, self._asks_ahead = every, steps_per_execution, asks_ahead
        self._unread = self._unasked = self._unsampled = 0
        self._read_at = time.monotonic()

    def begin_execution(self) -> None:
        """The next steps begin."""
        self._unread += self._at_once
        self._unasked += self._at_once
        self._unsampled += self._at_once

    def is_late(self) -> bool:
        """Whether it is time to read all steps, however few there are.

        Several processes have to read at the same step, since what they read may end training,
        and their clocks do not agree.
        """
        late = time.monotonic() - self._read_at >= SECONDS_BETWEEN_READS
        return late and not backend.distribution.has_other_processes()

    def is_read_due(self, room: RingCapacity) -> bool:
        """Whether there are enough steps to be read."""
        return self._unread >= room.flush_every

    def is_request_due(self, room: RingCapacity) -> bool:
        """Whether the steps so far should be asked for, to be read a little later."""
        ahead = room.flush_every // _AHEAD if self._asks_ahead else 0
        return 0 < room.flush_every - self._unread <= ahead

    def are_samples_due(self, room: RingCapacity, num_read: int) -> bool:
        """Whether the next steps might overwrite samples that were not asked for.

        Args:
            room: What the rings hold.
            num_read: Steps that were read so far.
        """
        end = num_read + self._unread
        looks = self._looks(end) - self._looks(end - self._unsampled)
        return looks + self._looks(self._at_once) > room.samples

    def note_sampling(self) -> None:
        """All samples are asked for."""
        self._unsampled = 0

    def note_request(self) -> None:
        """All steps are asked for, and all samples."""
        self._unasked = self._unsampled = 0

    def note_read(self) -> None:
        """What was asked for is read."""
        self._unread = self._unasked
        self._read_at = time.monotonic()

    def _looks(self, num_steps: int) -> int:
        """How many of the first `num_steps` steps are looked at closely because it is their turn."""
        return -(-num_steps // self._every)
