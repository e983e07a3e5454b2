"""Fuse: a broken panel does not stop the car."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any


class CircuitBreaker:
    """Runs the parts of a session; one that fails is told once, and is off from then on."""

    def __init__(self) -> None:
        self._broken: set[str] = set()

    def attempt(self, what: str, action: Callable[[], Any]) -> Any:
        """What `action` returns; None where it fails, or did before.

        Args:
            what: The part, in words. It is what is switched off.
            action: What it does.
        """
        return None if self.is_off(what) else self.finish(what, action)

    def is_off(self, what: str) -> bool:
        """Whether that part has failed."""
        return what in self._broken

    def finish(self, what: str, action: Callable[[], Any]) -> Any:
        """As `attempt`, but also where that part is off by now: it has to be put away."""
        try:
            return action()
        except Exception as error:
            self.tell(what, error)
            return None

    def tell(self, what: str, error: Exception) -> None:
        """Switches `what` off, and says so if it was on."""
        if self.is_off(what):
            return
        self._broken.add(what)
        warn(
            f"{what} failed and is switched off; training goes on. {type(error).__name__}: {error}"
        )


def warn(message: str) -> None:
    """A RuntimeWarning in the name of the package."""
    warnings.warn(f"keras_l4: {message}", RuntimeWarning, stacklevel=2)
