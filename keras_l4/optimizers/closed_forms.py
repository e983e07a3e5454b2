"""Which optimizers have a closed form of the effective learning rate, and which one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from keras_l4.recorder.effective_rate import MeasuredRate, Rate

_R = TypeVar("_R", bound=type[Rate])
_forms: dict[Any, type[Rate]] = {}


def closed_form(optimizer: Any) -> Callable[[_R], _R]:
    """Says that the decorated `Rate` is that of this Keras optimizer's update rule.

    Raises:
        ValueError: The update rule has a closed form already.
    """

    def register(rate: _R) -> _R:
        if _forms.setdefault(optimizer.update_step, rate) is not rate:
            raise ValueError(f"{optimizer.__name__} has a closed form already.")
        return rate

    return register


def rate_of(optimizer: Any) -> Rate:
    """The rate of `optimizer`: its closed form, or the measured one.

    A subclass that keeps `update_step` keeps the closed form; one that changes it does not.
    """
    return _forms.get(type(optimizer).update_step, MeasuredRate)(optimizer)
