"""Parameters of a request, each checked when it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tensorboard import errors

MOST = 2**53 - 1
"""The largest whole number that JavaScript has."""

_SHOWN = 60


@dataclass(frozen=True)
class Parameters:
    """The query of a request.

    Attributes:
        given: Name to text, as it was sent.
    """

    given: Mapping[str, str]

    def text(self, name: str) -> str:
        """A text that has to be there.

        Raises:
            errors.InvalidArgumentError: It is not.
        """
        if not self.given.get(name):
            raise errors.InvalidArgumentError(f"the parameter {name!r} is missing.")
        return self.given[name]

    def one_of(self, name: str, options: Collection[str]) -> str:
        """A text that has to be one of `options`.

        Raises:
            errors.InvalidArgumentError: It is missing.
            errors.NotFoundError: It is none of them.
        """
        text = self.text(name)
        if text not in options:
            raise errors.NotFoundError(f"{name}={short(text)}: there is no such {name}.")
        return text

    def whole(self, name: str, default: int, least: int = 0, most: int = MOST) -> int:
        """A whole number, `default` where it was left out.

        Raises:
            errors.InvalidArgumentError: It is none, or not within `least` and `most`.
        """
        text = self.given.get(name)
        if text is None:
            return default
        number = _whole(text)
        if number is None or not least <= number <= most:
            raise errors.InvalidArgumentError(
                f"{name}={short(text)}: expected a whole number from {least} to {most}."
            )
        return number


def short(text: str) -> str:
    """`text` in quotes, on one line, cut where it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _SHOWN else None
