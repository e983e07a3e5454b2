"""Adamax that records its steps."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_l4.backend.interface import Array, Tensor
from keras_l4.keras_internals import backend_class, optimizer_slots, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adamax)
class AdamaxRate(AdaptiveRate):
    """η / ((1 - β₁ᵗ)(u + ε)),  u ← max(β₂u, |g|).  The direction is m.

    u takes the place of the second moment. It is not a square, so that no root is taken.
    Source: Kingma & Ba 2015, section 7.1.
    """

    def second_moments(
        self, slot_indices: Sequence[int], pre_update_values: Sequence[Tensor]
    ) -> list[Tensor]:
        slots = optimizer_slots(self.optimizer, "u")
        return [slots[i] for i in slot_indices]

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        bias_1 = 1 - self.optimizer.beta_1 ** t.astype(np.float64)
        return learning_rate / (bias_1 * (statistic.astype(np.float64) + self.optimizer.epsilon))

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon


@save_as(keras.optimizers.Adamax)
class Adamax(RecordingMixin, backend_class(keras.optimizers.Adamax)):  # type: ignore[misc]
    """`keras.optimizers.Adamax` that can record its effective learning rate.

        η / ((1 - β₁ᵗ)(u + ε)),   u ← max(β₂u, |g|)

    (Kingma & Ba 2015, section 7.1.)

    Updates are bit-for-bit those of `keras.optimizers.Adamax`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.Adamax`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.Adamax`.

    Example:

    >>> optimizer = Adamax(1e-3, beta_1=0.8)
    >>> optimizer.get_config()["beta_1"]
    0.8
    """
