"""Which optimizers have a closed form of the effective learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from keras_l4.recorder.effective_rate import EffectiveRate, MeasuredRate

Optimizer: TypeAlias = Any
_R = TypeVar("_R", bound=type[EffectiveRate])
# The table is keyed by `update_step`, because a subclass that overrides it has another update rule.
_rates_by_update_step: dict[Any, type[EffectiveRate]] = {}


def closed_form(optimizer: type[Optimizer]) -> Callable[[_R], _R]:
    """Decorates an `EffectiveRate` class that belongs to the update rule of an optimizer class.

    It is used for every optimizer that has the same `update_step`, subclasses included.

    Args:
        optimizer: A subclass of `keras.optimizers.Optimizer`.

    Raises:
        ValueError: The update rule has a closed form already.

    Example:

    ```python
    @closed_form(keras.optimizers.Lion)
    class LionRate(NominalRate):
        \"\"\"η. The direction is sign(β₁m + (1 - β₁)g). Chen et al. 2023.\"\"\"
    ```
    """

    def register(rate: _R) -> _R:
        registered = _rates_by_update_step.setdefault(optimizer.update_step, rate)
        if registered is not rate:
            raise ValueError(
                f"{optimizer.__name__} has the closed form {registered.__qualname__} already, so that "
                f"{rate.__qualname__} cannot be registered for it. Override `update_step` in a "
                "subclass of the optimizer, and register the closed form for that."
            )
        return rate

    return register


def effective_rate_of(optimizer: Optimizer) -> EffectiveRate:
    """Returns the effective learning rate of `optimizer`: its closed form, or `MeasuredRate`."""
    return _rates_by_update_step.get(type(optimizer).update_step, MeasuredRate)(optimizer)
