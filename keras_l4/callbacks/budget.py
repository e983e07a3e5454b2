"""Budget: the fraction of the training time that measurements may take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import NoneType


class Budget:
    """Keeps account of the time that measurements take.

    Attributes:
        spent_seconds: Seconds of measurements so far.

    Args:
        fraction: The largest allowed ratio of measuring to training time; None for no limit.

    Raises:
        TypeError: `fraction` is not a number.
        ValueError: `fraction` is not above 0 and up to 1.
    """

    def __init__(self, fraction: float | None) -> None:
        if isinstance(fraction, bool) or not isinstance(fraction, (int, float, NoneType)):
            raise TypeError(f"budget={fraction!r}: expected a number such as 0.05, or None.")
        if fraction is not None and not 0 < fraction <= 1:
            raise ValueError(
                f"budget={fraction!r}: expected a fraction of the training time, above 0 and up to "
                "1, such as 0.05, or None for no limit."
            )
        self._fraction = fraction
        self.begin()

    def begin(self) -> None:
        """Resets the account at the beginning of a training."""
        self._start_time = time.monotonic()
        self.spent_seconds = 0.0

    @property
    def is_limited(self) -> bool:
        """True if there is a limit."""
        return self._fraction is not None

    @property
    def training_seconds(self) -> float:
        """Seconds of training so far, without the measurements."""
        return time.monotonic() - self._start_time - self.spent_seconds

    def can_afford(self, seconds: float) -> bool:
        """Returns True if a measurement of that duration stays within the limit."""
        if self._fraction is None:
            return True
        return self.spent_seconds + seconds <= self._fraction * self.training_seconds

    @contextlib.contextmanager
    def spend(self) -> Iterator[None]:
        """Adds the time that the `with` block takes to `spent_seconds`."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.spent_seconds += time.monotonic() - begin
