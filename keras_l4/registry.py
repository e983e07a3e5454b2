"""Classes that register themselves: quantities, rules, panels and remedies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

_T = TypeVar("_T")


class Registry(Mapping[str, _T]):
    """One instance of each concrete class, by name, in order of registration.

    The base class calls `register` from its `__init_subclass__`.

    Args:
        attribute: The class attribute that holds the name, for instance `"code"`. A class that
            does not set it itself is abstract and is not registered.

    Example:

    >>> shapes = Registry("name")
    >>> class Square:
    ...     name = "square"
    >>> shapes.register(Square)
    >>> list(shapes)
    ['square']
    """

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self._instances: dict[str, _T] = {}

    def register(self, cls: type[_T]) -> None:
        """Adds an instance of `cls`, if `cls` sets the name.

        Raises:
            ValueError: Another class has the same name.
        """
        name = vars(cls).get(self._attribute)
        if name is None:
            return
        if name in self._instances:
            raise ValueError(
                f"{cls.__qualname__} has {self._attribute}={name!r}, which "
                f"{type(self._instances[name]).__qualname__} already uses. Choose another one."
            )
        self._instances[name] = cls()

    def __getitem__(self, name: str) -> _T:
        return self._instances[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._instances)

    def __len__(self) -> int:
        return len(self._instances)


def import_submodules(package: str, path: Iterable[str]) -> None:
    """Imports every public module of `package`, so that the classes in them are registered."""
    for module in sorted(module.name for module in iter_modules(path)):
        if not module.startswith("_"):
            import_module(f"{package}.{module}")
