"""Clock: how long a step may wait to be read."""

from __future__ import annotations

import time

from keras_l4 import backend

SECONDS_BETWEEN_READS = 5.0


class Clock:
    """Runs from one read-out to the next."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The record is read now."""
        self._read_at = time.monotonic()

    @property
    def is_late(self) -> bool:
        """Whether it is time to read, however few steps there are.

        Several processes have to read at the same step, since what they read may end training,
        and their clocks do not agree.
        """
        late = time.monotonic() - self._read_at >= SECONDS_BETWEEN_READS
        return late and not backend.has_other_processes()
