"""Effective learning rates: base classes for the closed form of an optimizer."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.backend.interface import Array, Tensor
from keras_l4.quantities import StepContext


class EffectiveRate(abc.ABC):
    """The effective learning rate of one optimizer. Abstract.

    The device records one statistic per variable and step. The host computes the rate from it, in
    float64.

    Attributes:
        has_elementwise_rate: True if every element of a variable has a rate.
        reads_updates: True if the statistic is computed from the update. The weights are then
            copied before every step, not only before sampled steps.

    Args:
        optimizer: The optimizer that holds the slots. Under loss scaling, the inner one.
    """

    has_elementwise_rate: ClassVar[bool] = True
    reads_updates: ClassVar[bool] = False

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    @abc.abstractmethod
    def statistic(self, step: StepContext) -> Tensor:
        """Returns the number that `compute` needs per variable: a device tensor `[variables]`."""

    @abc.abstractmethod
    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        """Computes the effective learning rate on the host, in float64.

        Args:
            learning_rate: The nominal rate η, broadcast against `statistic`.
            t: Number of the update, from 1, broadcast against `statistic`.
            statistic: Values of `statistic`, or of single elements of the second moment.
        """

    @property
    def epsilon_limit(self) -> Any:
        """Second moments below this are dominated by ε in the denominator. May be a tensor."""
        return 0.0

    @property
    def epsilon_inside_root(self) -> float:
        """The number that is added to the second moment before the root is taken."""
        return 0.0

    def is_epsilon_dominated(self, second_moment: Tensor) -> Tensor:
        """Returns a mask of the elements whose denominator is ε rather than the second moment."""
        x = backend.core.to_float32(second_moment)
        return x < ops.cast(self.epsilon_limit, x.dtype)

    def is_undefined(self, second_moment: Tensor) -> Tensor:
        """Returns a mask of the elements whose effective learning rate is NaN."""
        # Not `~(x >= 0)`: TensorFlow's graph optimizer rewrites that to `x < 0`, which misses NaN.
        x = backend.core.to_float32(second_moment) + self.epsilon_inside_root
        return (x < 0) | backend.core.is_nan(x)


class AdaptiveRate(EffectiveRate):
    """A rate that divides by the root of a second moment. Abstract."""

    @abc.abstractmethod
    def second_moments(
        self, slot_indices: Sequence[int], pre_update_values: Sequence[Tensor]
    ) -> list[Tensor]:
        """Returns the second moment of each variable after the update, in the variable's shape.

        Args:
            slot_indices: Position of each variable in the optimizer's slots.
            pre_update_values: Values that the variables of `pre_update_slots` had before the update.
        """

    def pre_update_slots(self, slot_indices: Sequence[int]) -> list[Any]:
        """Returns slots whose values from before the update `second_moments` needs. Default: none."""
        return []

    def advance_mean(self, mean: Tensor, mean_square: Tensor) -> Tensor | None:
        """Returns the mean second moment after an update, computed from the one before.

        The default returns None: the mean is then computed from the slots, which reads every
        element. Override this if the second moment is linear in the squared gradient.

        Args:
            mean: Mean second moment before the update, `float32[variables]`.
            mean_square: Mean of the squared gradient, `float32[variables]`.
        """
        return None

    def statistic(self, step: StepContext) -> Tensor:
        return step.mean_second_moments


class NominalRate(EffectiveRate):
    """The learning rate η itself, for optimizers that do not rescale the direction."""

    def statistic(self, step: StepContext) -> Tensor:
        # `compute` uses only its shape: any `[variables]` tensor that is at hand will do.
        return step.gradient_norms

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        return np.broadcast_to(learning_rate, np.shape(statistic)).astype(np.float64)


class MeasuredRate(EffectiveRate):
    """‖Δw‖ / ‖gradient‖, for optimizers without a closed form."""

    has_elementwise_rate = False
    reads_updates = True

    def statistic(self, step: StepContext) -> Tensor:
        # Momentum and weight decay move weights whose gradient is zero: their rate is undefined.
        norms = ops.where(step.gradient_norms == 0, np.float32(np.nan), step.gradient_norms)
        return step.norms(step.updates) / norms

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        return statistic.astype(np.float64)
