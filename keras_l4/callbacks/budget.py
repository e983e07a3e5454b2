"""Budget: a share of the training time that measurements may take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import NoneType


class Budget:
    """Counts what is spent on measurements.

    Args:
        share: Of the time that training itself takes; None for no limit.

    Raises:
        TypeError: `share` is no number.
        ValueError: `share` is no share.
    """

    def __init__(self, share: float | None) -> None:
        if isinstance(share, bool) or not isinstance(share, (int, float, NoneType)):
            raise TypeError(f"budget={share!r}: expected a number such as 0.05, or None.")
        if share is not None and not 0 < share <= 1:
            raise ValueError(
                f"budget={share!r}: expected a share of the training time, above 0 and up to 1, "
                "such as 0.05, or None for no limit."
            )
        self._share = share
        self.begin()

    def begin(self) -> None:
        """Training begins."""
        self._began = time.monotonic()
        self.spent = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self._share is not None

    @property
    def trained(self) -> float:
        """Seconds of training so far, measurements left out."""
        return time.monotonic() - self._began - self.spent

    def affords(self, seconds: float) -> bool:
        """Whether so much more stays within the share of the training so far."""
        return self._share is None or self.spent + seconds <= self._share * self.trained

    @contextlib.contextmanager
    def spending(self) -> Iterator[None]:
        """What is done inside is paid from it."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.spent += time.monotonic() - begin
