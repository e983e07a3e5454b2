"""Pace: when what lies on the device is read."""

from __future__ import annotations

import time

from keras_l4 import backend
from keras_l4.recorder.room import Room

SECONDS_BETWEEN_READS = 5.0


class Pace:
    """Counts the steps that were not read yet, and the time since others were.

    Args:
        every: Steps between two that are looked at closely.
        steps_per_execution: Steps between two occasions to read.
    """

    def __init__(self, every: int, steps_per_execution: int) -> None:
        self._every, self._at_once = every, steps_per_execution
        self.restart()

    def restart(self) -> None:
        """All is read now."""
        self._read_at = time.monotonic()
        self._unread = self._unsampled = 0

    def begin_execution(self) -> None:
        """The next steps begin."""
        self._unread += self._at_once
        self._unsampled += self._at_once

    def is_read_due(self, room: Room) -> bool:
        """Whether there are enough steps to be read, or it is time, however few there are.

        Several processes have to read at the same step, since what they read may end training,
        and their clocks do not agree.
        """
        late = time.monotonic() - self._read_at >= SECONDS_BETWEEN_READS
        return self._unread >= room.flush_every or (late and not backend.has_other_processes())

    def are_samples_due(self, room: Room, num_read: int) -> bool:
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

    def _looks(self, num_steps: int) -> int:
        """How many of the first `num_steps` steps are looked at closely because it is their turn."""
        return -(-num_steps // self._every)
