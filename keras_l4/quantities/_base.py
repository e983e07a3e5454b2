"""Quantity: what is measured, when, and how it pools from variables to layers."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

if TYPE_CHECKING:
    import numpy as np

    from keras_l4.recorder.effective_rate import Rate
    from keras_l4.recorder.step import Step
    from keras_l4.recorder.step_table import StepTable

When = Literal["every step", "sampled"]
EVERY_STEP: Final = "every step"
SAMPLED: Final = "sampled"

_registry: dict[str, Quantity] = {}


class Quantity(abc.ABC):
    """One number per variable and step.

    A concrete class sets the attributes below and is registered by that; a second class with
    the same name is an error. Names that begin with an underscore are intermediates: they
    are measured, but nobody downstream sees them.

    Attributes:
        name: Name in `StepBlock.values`, in TensorBoard tags and in event files.
        unit: Unit, in words.
        when: `EVERY_STEP`, or `SAMPLED`: every `every`-th step and each suspicious one.
        pool: How variables become a layer: a key of `keras_l4.records.pooling.RULES`.
        of_distribution: It describes the rates of a variable's elements, which an optimizer
            without a closed form does not have.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    when: ClassVar[When]
    pool: ClassVar[str]
    of_distribution: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            return
        if cls.name in _registry:
            raise ValueError(
                f"{cls.__qualname__} wants the name {cls.name!r}, which "
                f"{type(_registry[cls.name]).__qualname__} has. Give it a name of its own."
            )
        _registry[cls.name] = cls()


class Measured(Quantity):
    """A quantity that is measured on the device.

    Attributes:
        dtype: `"float"` (float32) or `"int"` (an exact count).
        of_nonfinite: It is zero where the gradient norms say that all is finite, and is measured
            only where they do not.
        reads_weights: Whether it may read the weights or the update, which are held for it.
    """

    dtype: ClassVar[Literal["float", "int"]] = "float"
    of_nonfinite: ClassVar[bool] = False
    reads_weights: ClassVar[bool] = True

    @abc.abstractmethod
    def measure(self, step: Step) -> Any:
        """Returns a tensor `[variables]`."""


class Normed(Measured):
    """Euclidean norms of tensors of the step: those of all such quantities are taken in one pass."""

    @abc.abstractmethod
    def tensors(self, step: Step) -> Sequence[Any]:
        """One per variable."""

    def measure(self, step: Step) -> Any:
        return step.normed(self)


class Folded(Measured):
    """A count or an extreme over the elements: all of a variable's are taken in one pass.

    Attributes:
        over: Which tensors of the step.
        fold: How their elements, as `element` gives them, become one number; `"magnitude"` is that
            of the largest, NaN where there is one.
    """

    over: ClassVar[Literal["gradients", "second_moments"]] = "gradients"
    fold: ClassVar[Literal["count", "magnitude", "maximum", "minimum"]] = "count"
    reads_weights = False

    @abc.abstractmethod
    def element(self, x: Any, rate: Rate) -> Any:
        """What is folded: a mask to be counted, or numbers, in the shape of `x`."""

    def measure(self, step: Step) -> Any:
        return step.folded(self)


class Derived(Quantity):
    """A quantity that is computed on the host, in float64, from measured ones."""

    reads: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def derive(self, rows: StepTable) -> np.ndarray:
        """Returns `[rows, variables]`."""

    def derive_layers(self, rows: StepTable) -> np.ndarray | None:
        """Returns `[rows, layers]` where that cannot be pooled from the variables."""
        return None


def registry() -> dict[str, Quantity]:
    """All quantities by name, in order of registration."""
    return dict(_registry)
