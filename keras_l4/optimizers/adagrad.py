"""Adagrad that records its steps."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_l4.backend.interface import Array, Tensor
from keras_l4.keras_internals import backend_class, optimizer_slots, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adagrad)
class AdagradRate(AdaptiveRate):
    """η / √(G + ε),  G ← G + g².  The direction is the gradient.

    G starts at `initial_accumulator_value`. Source: Duchi, Hazan, Singer 2011.
    """

    def second_moments(
        self, slot_indices: Sequence[int], pre_update_values: Sequence[Tensor]
    ) -> list[Tensor]:
        slots = optimizer_slots(self.optimizer, "accumulators")
        return [slots[i] for i in slot_indices]

    def advance_mean(self, mean: Tensor, mean_square: Tensor) -> Tensor:
        return mean + mean_square

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        return learning_rate / np.sqrt(statistic + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon

    @property
    def epsilon_inside_root(self) -> float:
        return self.optimizer.epsilon


@save_as(keras.optimizers.Adagrad)
class Adagrad(RecordingMixin, backend_class(keras.optimizers.Adagrad)):  # type: ignore[misc]
    """`keras.optimizers.Adagrad` that can record its effective learning rate.

        η / √(G + ε),   G ← G + g²

    It keeps shrinking (Duchi, Hazan, Singer 2011).

    Updates are bit-for-bit those of `keras.optimizers.Adagrad`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.Adagrad`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.Adagrad`.

    Example:

    >>> optimizer = Adagrad(learning_rate=0.1, initial_accumulator_value=0.0)
    >>> optimizer.get_config()["initial_accumulator_value"]
    0.0
    """
