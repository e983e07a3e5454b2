"""RMSprop that records what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_l4.keras_internals import implementation, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import Recording
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.RMSprop)
class RMSpropRate(AdaptiveRate):
    """η / √(v + ε),  v ← ρv + (1 - ρ)g².  The direction is the gradient.

    Centered: v - m² in place of v, NaN where v - m² + ε < 0. Tieleman & Hinton 2012, lecture 6e.
    """

    def second_moments(self, indices: Sequence[int], before: Sequence[Any]) -> list[Any]:
        # Keras has no public name for a slot; it calls the second moment a velocity.
        velocities = [self.optimizer._velocities[i] for i in indices]
        if not self.optimizer.centered:
            return velocities
        means = [self.optimizer._average_gradients[i] for i in indices]
        return [v - ops.square(m) for v, m in zip(velocities, means, strict=True)]

    def advance(self, mean: Any, mean_square: Any) -> Any:
        if self.optimizer.centered:
            return None
        return self.optimizer.rho * mean + (1 - self.optimizer.rho) * mean_square

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return learning_rate / np.sqrt(statistic + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon

    @property
    def epsilon_inside_root(self) -> float:
        return self.optimizer.epsilon


@save_as(keras.optimizers.RMSprop)
class RMSprop(Recording, implementation(keras.optimizers.RMSprop)):  # type: ignore[misc]
    """`keras.optimizers.RMSprop`, bit for bit, that can record its effective learning rate

        η / √(v + ε),   v ← ρv + (1 - ρ)g²        (centered: v - m²)

    which levels off where gradients do (Tieleman & Hinton 2012, lecture 6e). It records while a
    callback of `keras_l4.callbacks` is in `fit`, and costs nothing otherwise; a saved model
    names `keras.optimizers.RMSprop`.

    Args:
        **kwargs: Those of `keras.optimizers.RMSprop`.

    Example:

    >>> optimizer = RMSprop(learning_rate=0.001, centered=True)
    >>> optimizer.get_config()["centered"]
    True
    """
