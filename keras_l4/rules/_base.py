"""Rule: reads a recorded run, and yields findings."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import ClassVar

from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding

_registry: dict[str, Rule] = {}


class Rule(abc.ABC):
    """One way in which training goes wrong.

    A concrete class sets `code`, is registered by that (a second one with the same code is an
    error), and has a docstring with the sections "What it does", "Why it is bad", "What to do",
    "When it is wrong" and "Source".

    Attributes:
        code: Name of the rule and of its findings.
        preset: The preset it belongs to.
        is_root: Whether what it sees was there before the first step. Of findings that are equally
            severe those of such rules come first, since the others may follow from them.
    """

    code: ClassVar[str]
    preset: ClassVar[str] = "default"
    is_root: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            return
        if cls.code in _registry:
            raise ValueError(
                f"{cls.__qualname__} wants the code {cls.code!r}, which "
                f"{type(_registry[cls.code]).__qualname__} has. Give it a code of its own."
            )
        _registry[cls.code] = cls()

    @abc.abstractmethod
    def check(self, run: RunView) -> Iterator[Finding]:
        """Yields what is wrong with the run, one finding per cause."""

    def is_guess(self, finding: Finding) -> bool:
        """Whether a finding of this rule is a note where another rule knows a cause."""
        return False


def registry() -> dict[str, Rule]:
    """All rules by code, in order of registration."""
    return dict(_registry)
