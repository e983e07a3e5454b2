"""Fuse: a broken panel does not stop the car."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any


class Fuse:
    """Runs the parts of a session; one that fails is told once, and is off from then on."""

    def __init__(self) -> None:
        self._broken: set[str] = set()

    def attempt(self, what: str, action: Callable[[], Any]) -> Any:
        """What `action` returns; None where it fails, or did before.

        Args:
            what: The part, in words. It is what is switched off.
            action: What it does.
        """
        if what in self._broken:
            return None
        try:
            return action()
        except Exception as error:
            self.blow(what, error)
            return None

    def blow(self, what: str, error: Exception) -> None:
        """Switches `what` off, and tells it if it was on."""
        if what not in self._broken:
            self._broken.add(what)
            warn(
                f"{what} failed and is switched off; training goes on. "
                f"{type(error).__name__}: {error}"
            )


def warn(message: str) -> None:
    """A RuntimeWarning in the name of the package."""
    warnings.warn(f"keras_l4: {message}", RuntimeWarning, stacklevel=2)
