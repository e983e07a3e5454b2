"""The base class of remedies."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.registry import Registry

registry: Registry[Remedy] = Registry("name")
"""All remedies by name, in order of registration."""


class NotApplicable(Exception):
    """The remedy would change nothing. The message says why, in a few words."""


@dataclass(frozen=True)
class ReplayContext:
    """What a remedy may read and change.

    Attributes:
        model: The model, compiled as in the recorded run.
        capsule: The recorded steps.
        position: Position of the batch of the first non-finite step in the capsule, from 0.
        layer: Path of the layer in which the first NaN or Inf originated; "" if there is none.
    """

    model: Any
    capsule: Capsule
    position: int
    layer: str

    @property
    def optimizers(self) -> list[Any]:
        """The optimizers that update weights, without wrappers around them."""
        optimizer = keras_internals.unwrap_loss_scaling(self.model.optimizer)
        return keras_internals.inner_optimizers(optimizer)


class Remedy(abc.ABC):
    """One change to the model, its optimizer or the recorded steps.

    Defining a subclass with a `name` registers it.

    Attributes:
        name: Name in the table of `replay(..., try_remedies=True)`.
    """

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        registry.register(cls)

    @abc.abstractmethod
    def applied(self, context: ReplayContext) -> AbstractContextManager[Capsule]:
        """Changes the model inside the context; yields the capsule to replay on it.

        Raises:
            NotApplicable: The remedy would change nothing.
        """


@contextlib.contextmanager
def with_attributes(objects: Sequence[Any], **attributes: Any) -> Iterator[None]:
    """Sets attributes of all objects inside the context."""
    before = [{name: getattr(obj, name) for name in attributes} for obj in objects]
    try:
        for obj in objects:
            _set_attributes(obj, attributes)
        yield
    finally:
        for obj, values in zip(objects, before, strict=True):
            _set_attributes(obj, values)


def _set_attributes(obj: Any, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        setattr(obj, name, value)
