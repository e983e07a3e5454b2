"""Adam that records what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_l4.keras_internals import implementation, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import Recording
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adam)
class AdamRate(AdaptiveRate):
    """α_t / (√v + ε),  α_t = η √(1 - β₂ᵗ) / (1 - β₁ᵗ).  The direction is m.

    Keras' ε̂ form. amsgrad: v is the running maximum v̂. AdamW's decay is not in it.
    Kingma & Ba 2015; Reddi, Kale, Kumar 2018; Loshchilov & Hutter 2019.
    """

    def second_moments(self, indices: Sequence[int], before: Sequence[Any]) -> list[Any]:
        # Keras has no public name for a slot; it calls the second moment a velocity.
        amsgrad = self.optimizer.amsgrad
        slots = self.optimizer._velocity_hats if amsgrad else self.optimizer._velocities
        return [slots[i] for i in indices]

    def advance(self, mean: Any, mean_square: Any) -> Any:
        if self.optimizer.amsgrad:
            return None
        return self.optimizer.beta_2 * mean + (1 - self.optimizer.beta_2) * mean_square

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        bias_1 = 1 - self.optimizer.beta_1 ** t.astype(np.float64)
        bias_2 = 1 - self.optimizer.beta_2 ** t.astype(np.float64)
        alpha = learning_rate * np.sqrt(bias_2) / bias_1
        return alpha / (np.sqrt(statistic.astype(np.float64)) + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon**2


@save_as(keras.optimizers.Adam)
class Adam(Recording, implementation(keras.optimizers.Adam)):  # type: ignore[misc]
    """`keras.optimizers.Adam`, bit for bit, that can record its effective learning rate

        α_t / (√v + ε),   α_t = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)

    with the early steps bias-corrected (Kingma & Ba 2015, in Keras' ε̂ form; amsgrad: Reddi,
    Kale, Kumar 2018). It records while a callback of `keras_l4.callbacks` is in `fit`, and costs
    nothing otherwise; a saved model names `keras.optimizers.Adam`.

    Args:
        **kwargs: Those of `keras.optimizers.Adam`.

    Example:

    >>> optimizer = Adam(1e-3, amsgrad=True)
    >>> type(Adam.from_config(optimizer.get_config())) is Adam
    True
    """
