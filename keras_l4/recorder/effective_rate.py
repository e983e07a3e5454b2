"""Rate: what an optimizer's effective learning rate is computed from."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from keras import ops

from keras_l4 import backend

if TYPE_CHECKING:
    from keras_l4.recorder.step import Step


class Rate(abc.ABC):
    """The effective learning rate of one optimizer.

    The device keeps one statistic per variable and step; the host turns it into a rate in
    float64.

    Attributes:
        adaptive: Whether every element has a rate of its own, from a second moment.
        distributed: Whether the rate has a distribution over the elements at all.
        every_update: Whether the statistic needs the update of every step.
    """

    adaptive: ClassVar[bool] = False
    distributed: ClassVar[bool] = True
    every_update: ClassVar[bool] = False

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    @abc.abstractmethod
    def statistic(self, step: Step) -> Any:
        """Returns a device tensor `[variables]`."""

    @abc.abstractmethod
    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        """The rate, in float64.

        Args:
            learning_rate: The nominal rate η, broadcast against `statistic`.
            t: Number of the update, from 1, broadcast against `statistic`.
            statistic: What `statistic` gave; elements of the second moment likewise.
        """

    @property
    def epsilon_limit(self) -> Any:
        """A second moment below this is dominated by ε in the denominator; may be a tensor."""
        return 0.0

    @property
    def epsilon_inside_root(self) -> float:
        """What is added to the second moment before the root."""
        return 0.0

    def is_epsilon_dominated(self, second_moment: Any) -> Any:
        """Device mask: the elements whose denominator is ε rather than the second moment."""
        wide = backend.core.to_float32(second_moment)
        return wide < ops.cast(self.epsilon_limit, wide.dtype)

    def is_undefined(self, second_moment: Any) -> Any:
        """Device mask: the elements whose rate is NaN."""
        # Not `~(x >= 0)`: TensorFlow optimizes that to `x < 0`, which NaN is not.
        x = backend.core.to_float32(second_moment) + self.epsilon_inside_root
        return (x < 0) | backend.core.is_nan(x)


class AdaptiveRate(Rate):
    """A rate that divides by the root of a second moment."""

    adaptive = True

    @abc.abstractmethod
    def second_moments(self, indices: Sequence[int], before: Sequence[Any]) -> list[Any]:
        """The second moment of each variable, a device tensor in the variable's shape.

        Args:
            indices: Position of each variable in the optimizer's slots.
            before: What `slots_before` named, as it was before the update.
        """

    def slots_before(self, indices: Sequence[int]) -> list[Any]:
        """Slots whose values from before the update the rate depends on; none for most."""
        return []

    def advance(self, mean: Any, mean_square: Any) -> Any:
        """The mean second moment after a step, from that before and the mean squared gradient.

        None where it does not follow from them; it is taken from the slots then.
        """
        return None

    def statistic(self, step: Step) -> Any:
        return step.mean_second_moments


class NominalRate(Rate):
    """The learning rate itself, for methods that do not rescale the direction."""

    def statistic(self, step: Step) -> Any:
        return step.gradient_norms

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        return np.broadcast_to(learning_rate, np.shape(statistic)).astype(np.float64)


class MeasuredRate(Rate):
    """‖Δw‖ / ‖gradient‖, for an optimizer without a closed form."""

    distributed = False
    every_update = True

    def statistic(self, step: Step) -> Any:
        # Momentum and weight decay move a weight without a gradient: a rate of that is no rate.
        norms = ops.where(step.gradient_norms == 0, np.float32(np.nan), step.gradient_norms)
        return step.norms(step.updates) / norms

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        return statistic.astype(np.float64)
