"""Circuit breaker: a failing diagnostic is disabled with one warning; training continues."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class CircuitBreaker:
    """Runs optional parts of a session.

    A part that raises is reported once and disabled for as long as the breaker is in use.
    """

    def __init__(self) -> None:
        self._disabled: set[str] = set()

    def call(self, part: str, function: Callable[[], _T]) -> _T | None:
        """Calls `function`, unless `part` is disabled.

        Args:
            part: Name of the part, as the subject of a sentence: `"writing event files"`.
            function: The work of that part.

        Returns:
            The result of `function`, or None if it raised or if the part is disabled.
        """
        return None if self.is_disabled(part) else self.always_call(part, function)

    def always_call(self, part: str, function: Callable[[], _T]) -> _T | None:
        """Like `call`, but runs even if the part is disabled. Use it to release resources."""
        try:
            return function()
        except Exception as error:
            self.trip(part, error)
            return None

    def is_disabled(self, part: str) -> bool:
        """Returns True if the part has failed and is disabled."""
        return part in self._disabled

    def trip(self, part: str, error: Exception) -> None:
        """Disables a part, with a warning if it was enabled."""
        if self.is_disabled(part):
            return
        self._disabled.add(part)
        warn(f"{part} failed and is disabled; training continues. {type(error).__name__}: {error}")


def warn(message: str) -> None:
    """Issues a RuntimeWarning that begins with the name of this package."""
    warnings.warn(f"keras_l4: {message}", RuntimeWarning, stacklevel=2)
