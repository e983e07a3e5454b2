"""Nadam that records what it does."""

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


@closed_form(keras.optimizers.Nadam)
class NadamRate(AdaptiveRate):
    """η / (√(v / (1 - β₂ᵗ)) + ε).  The direction is m̂, Nesterov's mix of m and the gradient.

    Dozat 2016.
    """

    def second_moments(self, indices: Sequence[int], before: Sequence[Any]) -> list[Any]:
        # Keras has no public name for a slot; it calls the second moment a velocity.
        return [self.optimizer._velocities[i] for i in indices]

    def advance(self, mean: Any, mean_square: Any) -> Any:
        return self.optimizer.beta_2 * mean + (1 - self.optimizer.beta_2) * mean_square

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        bias_2 = 1 - self.optimizer.beta_2 ** t.astype(np.float64)
        corrected = statistic.astype(np.float64) / bias_2
        return learning_rate / (np.sqrt(corrected) + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> Any:
        t = ops.cast(self.optimizer.iterations, "float32")
        return self.optimizer.epsilon**2 * (1 - ops.power(self.optimizer.beta_2, t))


@save_as(keras.optimizers.Nadam)
class Nadam(Recording, implementation(keras.optimizers.Nadam)):  # type: ignore[misc]
    """`keras.optimizers.Nadam`, bit for bit, that can record its effective learning rate

        η / (√(v / (1 - β₂ᵗ)) + ε)

    on the direction m̂ (Dozat 2016). It records while a callback of `keras_l4.callbacks` is in
    `fit`, and costs nothing otherwise; a saved model names `keras.optimizers.Nadam`.

    Args:
        **kwargs: Those of `keras.optimizers.Nadam`.

    Example:

    >>> optimizer = Nadam(1e-3, beta_2=0.99)
    >>> optimizer.get_config()["beta_2"]
    0.99
    """
