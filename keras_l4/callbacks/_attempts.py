"""Attempts: a broken panel does not stop the car."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any


class Attempts:
    """Runs what may fail: one warning, then that part is off and the rest keeps working."""

    def __init__(self) -> None:
        self._broken: set[str] = set()

    def __call__(self, what: str, action: Callable[[], Any]) -> Any:
        """What `action` returns; None where it fails, or `what` failed before."""
        if what in self._broken:
            return None
        try:
            return action()
        except Exception as error:
            self.switch_off(what, error)
            return None

    def switch_off(self, what: str, error: Exception) -> None:
        """Never runs `what` again, and says so once."""
        if what not in self._broken:
            self._broken.add(what)
            self.warn(
                f"{what} failed and is switched off; training goes on. "
                f"{type(error).__name__}: {error}"
            )

    def warn(self, message: str) -> None:
        """A RuntimeWarning of ours."""
        warnings.warn(f"keras_l4: {message}", RuntimeWarning, stacklevel=2)
