"""Base class of all rules, and the registry that holds one instance of each."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import ClassVar

from keras_l4.registry import Registry
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView


class Rule(abc.ABC):
    """Base class: detects one way in which training goes wrong.

    A subclass that sets `code` is registered under it. Its docstring has the sections "What it
    does", "Why it is bad", "What to do", "When it is wrong" and "Source".

    Attributes:
        code: Name of the rule and of its findings, e.g. `"vanishing-gradient"`.
        preset: Name of the preset that the rule belongs to.
        is_root: True if the rule detects a problem that exists before the first step. The engine
            lists its findings before others of the same severity, which may be consequences.
    """

    code: ClassVar[str]
    preset: ClassVar[str] = "default"
    is_root: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        registry.register(cls)

    @abc.abstractmethod
    def check(self, run: RunView) -> Iterator[Finding]:
        """Yields one finding per problem in the run."""

    def is_tentative(self, finding: Finding) -> bool:
        """Returns True if a cause that another rule found would explain `finding`.

        The engine lowers the severity of a tentative finding to `"info"` if another rule reports
        a warning or an error that is not tentative.
        """
        return False


registry: Registry[Rule] = Registry("code")
