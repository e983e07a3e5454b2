"""Query parameters of a request, validated when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tensorboard import errors

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that JavaScript represents exactly."""

_MAX_QUOTED_CHARACTERS = 60


@dataclass(frozen=True)
class Parameters:
    """The query of a request.

    Attributes:
        query: Name to text, as the client sent it.
    """

    query: Mapping[str, str]

    def text(self, name: str) -> str:
        """Returns a required parameter.

        Raises:
            errors.InvalidArgumentError: It is missing or empty.
        """
        if not self.query.get(name):
            raise errors.InvalidArgumentError(f"The parameter {name!r} is missing.")
        return self.query[name]

    def integer(
        self, name: str, default: int, minimum: int = 0, maximum: int = MAX_SAFE_INTEGER
    ) -> int:
        """Returns an integer, or `default` if the parameter is missing.

        Raises:
            errors.InvalidArgumentError: It is not an integer from `minimum` to `maximum`.
        """
        text = self.query.get(name)
        if text is None:
            return default
        number = _parse_integer(text)
        if number is None or not minimum <= number <= maximum:
            raise errors.InvalidArgumentError(
                f"{name}={quoted(text)}: expected an integer from {minimum} to {maximum}."
            )
        return number


def quoted(text: str) -> str:
    """Returns `text` in quotes, on one line and shortened to 60 characters."""
    is_short = len(text) <= _MAX_QUOTED_CHARACTERS
    return repr(text if is_short else f"{text[:_MAX_QUOTED_CHARACTERS]}…")


def _parse_integer(text: str) -> int | None:
    # `int` alone would accept " 1", "1_000" and other alphabets, and needs quadratic time.
    is_plain = text.isascii() and text.isdecimal() and len(text) < _MAX_QUOTED_CHARACTERS
    return int(text) if is_plain else None
