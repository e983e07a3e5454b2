"""Adam that records its steps."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_l4.backend.interface import Array, Tensor
from keras_l4.keras_internals import backend_class, optimizer_slots, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adam)
class AdamRate(AdaptiveRate):
    """α_t / (√v + ε),  α_t = η √(1 - β₂ᵗ) / (1 - β₁ᵗ).  The direction is m.

    This is the ε̂ form of the paper, which Keras implements. With amsgrad, v is the running maximum
    v̂. AdamW has the same rate: its weight decay is not part of the direction.
    Sources: Kingma & Ba 2015; Reddi, Kale, Kumar 2018; Loshchilov & Hutter 2019.
    """

    def second_moments(
        self, slot_indices: Sequence[int], pre_update_values: Sequence[Tensor]
    ) -> list[Tensor]:
        # Keras calls the second moment a velocity.
        kind = "velocity_hats" if self.optimizer.amsgrad else "velocities"
        slots = optimizer_slots(self.optimizer, kind)
        return [slots[i] for i in slot_indices]

    def advance_mean(self, mean: Tensor, mean_square: Tensor) -> Tensor | None:
        if self.optimizer.amsgrad:
            # The mean of a maximum does not follow from means.
            return None
        return self.optimizer.beta_2 * mean + (1 - self.optimizer.beta_2) * mean_square

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        bias_1 = 1 - self.optimizer.beta_1 ** t.astype(np.float64)
        bias_2 = 1 - self.optimizer.beta_2 ** t.astype(np.float64)
        alpha = learning_rate * np.sqrt(bias_2) / bias_1
        return alpha / (np.sqrt(statistic.astype(np.float64)) + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon**2


@save_as(keras.optimizers.Adam)
class Adam(RecordingMixin, backend_class(keras.optimizers.Adam)):  # type: ignore[misc]
    """`keras.optimizers.Adam` that can record its effective learning rate.

        α_t / (√v + ε),   α_t = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)

    The bias correction of early steps is included (Kingma & Ba 2015, in the ε̂ form that Keras
    implements; amsgrad: Reddi, Kale, Kumar 2018).

    Updates are bit-for-bit those of `keras.optimizers.Adam`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.Adam`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.Adam`.

    Example:

    >>> optimizer = Adam(1e-3, amsgrad=True)
    >>> type(Adam.from_config(optimizer.get_config())) is Adam
    True
    """
