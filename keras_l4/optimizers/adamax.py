"""Adamax that records what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_l4.keras_internals import implementation, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import Recording
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adamax)
class AdamaxRate(AdaptiveRate):
    """η / ((1 - β₁ᵗ)(u + ε)),  u ← max(β₂u, |g|).  The direction is m.

    u, a norm and no square, stands where other methods have a second moment.
    Kingma & Ba 2015, section 7.1.
    """

    def second_moments(self, indices: Sequence[int], before: Sequence[Any]) -> list[Any]:
        # Keras has no public name for a slot.
        return [self.optimizer._u[i] for i in indices]

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        bias_1 = 1 - self.optimizer.beta_1 ** t.astype(np.float64)
        return learning_rate / (bias_1 * (statistic.astype(np.float64) + self.optimizer.epsilon))

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon


@save_as(keras.optimizers.Adamax)
class Adamax(Recording, implementation(keras.optimizers.Adamax)):  # type: ignore[misc]
    """`keras.optimizers.Adamax`, bit for bit, that can record its effective learning rate

        η / ((1 - β₁ᵗ)(u + ε)),   u ← max(β₂u, |g|)

    (Kingma & Ba 2015, section 7.1). It records while a callback of `keras_l4.callbacks` is in
    `fit`, and costs nothing otherwise; a saved model names `keras.optimizers.Adamax`.

    Args:
        **kwargs: Those of `keras.optimizers.Adamax`.

    Example:

    >>> optimizer = Adamax(1e-3, beta_1=0.8)
    >>> optimizer.get_config()["beta_1"]
    0.8
    """
