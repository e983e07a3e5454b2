"""Remedy: one change under which the steps of a capsule are run again."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule

_registry: dict[str, Remedy] = {}


class DoesNotApply(Exception):
    """Why a remedy would change nothing, in a few words."""


@dataclass(frozen=True)
class ReplayContext:
    """What a remedy may change.

    Attributes:
        model: The model, compiled as it was.
        capsule: The steps.
        position: Of the batch of the bad step, from 0.
        layer: Path of the layer that was named; "" where none was.
    """

    model: Any
    capsule: Capsule
    position: int
    layer: str

    @property
    def optimizers(self) -> list[Any]:
        """Those that do the work."""
        return keras_internals.parts(keras_internals.inner_optimizer(self.model.optimizer))


class Remedy(abc.ABC):
    """One change.

    A concrete class sets `name` and is registered by that; a second one of the name is an error.

    Attributes:
        name: What is changed, as it stands in the table.
    """

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in cls.__dict__:
            return
        if cls.name in _registry:
            raise ValueError(f"{cls.__qualname__}: there is a remedy {cls.name!r}. Name it anew.")
        _registry[cls.name] = cls()

    @abc.abstractmethod
    def given(self, patient: ReplayContext) -> AbstractContextManager[Capsule]:
        """Changes the model inside, and has what is to be run on it.

        Raises:
            DoesNotApply: It would change nothing.
        """


def registry() -> dict[str, Remedy]:
    """All remedies by name, in order of registration."""
    return dict(_registry)


@contextlib.contextmanager
def changed(things: list[Any], **attributes: Any) -> Iterator[None]:
    """Sets attributes of all things inside, and puts them back."""
    before = [{name: getattr(thing, name) for name in attributes} for thing in things]
    try:
        for thing in things:
            _set(thing, attributes)
        yield
    finally:
        for thing, values in zip(things, before, strict=True):
            _set(thing, values)


def _set(thing: Any, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        setattr(thing, name, value)
