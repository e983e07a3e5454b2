"""RMSprop that records its steps."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_l4.backend.interface import Array, Tensor
from keras_l4.keras_internals import backend_class, optimizer_slots, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.RMSprop)
class RMSpropRate(AdaptiveRate):
    """η / √(v + ε),  v ← ρv + (1 - ρ)g².  The direction is the gradient.

    Centered: v - m² takes the place of v; the rate is NaN where v - m² + ε < 0.
    Source: Tieleman & Hinton 2012, lecture 6e.
    """

    def second_moments(
        self, slot_indices: Sequence[int], pre_update_values: Sequence[Tensor]
    ) -> list[Tensor]:
        # Keras calls the second moment a velocity.
        slots = optimizer_slots(self.optimizer, "velocities")
        velocities = [slots[i] for i in slot_indices]
        if not self.optimizer.centered:
            return velocities
        slots = optimizer_slots(self.optimizer, "average_gradients")
        means = [slots[i] for i in slot_indices]
        return [v - ops.square(m) for v, m in zip(velocities, means, strict=True)]

    def advance_mean(self, mean: Tensor, mean_square: Tensor) -> Tensor | None:
        if self.optimizer.centered:
            # The mean of m² does not follow from norms.
            return None
        return self.optimizer.rho * mean + (1 - self.optimizer.rho) * mean_square

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return learning_rate / np.sqrt(statistic + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon

    @property
    def epsilon_inside_root(self) -> float:
        return self.optimizer.epsilon


@save_as(keras.optimizers.RMSprop)
class RMSprop(RecordingMixin, backend_class(keras.optimizers.RMSprop)):  # type: ignore[misc]
    """`keras.optimizers.RMSprop` that can record its effective learning rate.

        η / √(v + ε),   v ← ρv + (1 - ρ)g²        (centered: v - m²)

    It levels off where the size of the gradients does (Tieleman & Hinton 2012, lecture 6e).

    Updates are bit-for-bit those of `keras.optimizers.RMSprop`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.RMSprop`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.RMSprop`.

    Example:

    >>> optimizer = RMSprop(learning_rate=0.001, centered=True)
    >>> optimizer.get_config()["centered"]
    True
    """
