"""Nadam that records its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_l4.backend.interface import Array, Tensor
from keras_l4.keras_internals import backend_class, optimizer_slots, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Nadam)
class NadamRate(AdaptiveRate):
    """η / (√(v / (1 - β₂ᵗ)) + ε).  The direction is m̂, Nesterov's mix of m and the gradient.

    Source: Dozat 2016.
    """

    def second_moments(
        self, slot_indices: Sequence[int], pre_update_values: Sequence[Tensor]
    ) -> list[Tensor]:
        # Keras calls the second moment a velocity.
        slots = optimizer_slots(self.optimizer, "velocities")
        return [slots[i] for i in slot_indices]

    def advance_mean(self, mean: Tensor, mean_square: Tensor) -> Tensor | None:
        return self.optimizer.beta_2 * mean + (1 - self.optimizer.beta_2) * mean_square

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        bias_2 = 1 - self.optimizer.beta_2 ** t.astype(np.float64)
        corrected = statistic.astype(np.float64) / bias_2
        return learning_rate / (np.sqrt(corrected) + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> Any:
        t = ops.cast(self.optimizer.iterations, "float32")
        return self.optimizer.epsilon**2 * (1 - ops.power(self.optimizer.beta_2, t))


@save_as(keras.optimizers.Nadam)
class Nadam(RecordingMixin, backend_class(keras.optimizers.Nadam)):  # type: ignore[misc]
    """`keras.optimizers.Nadam` that can record its effective learning rate.

        η / (√(v / (1 - β₂ᵗ)) + ε)

    The direction is m̂, Nesterov's mix of m and the gradient (Dozat 2016).

    Updates are bit-for-bit those of `keras.optimizers.Nadam`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.Nadam`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.Nadam`.

    Example:

    >>> optimizer = Nadam(1e-3, beta_2=0.99)
    >>> optimizer.get_config()["beta_2"]
    0.99
    """
