"""Adagrad that records what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_l4.keras_internals import implementation, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import Recording
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adagrad)
class AdagradRate(AdaptiveRate):
    """η / √(G + ε),  G ← G + g².  The direction is the gradient.

    G starts at `initial_accumulator_value`. Duchi, Hazan, Singer 2011.
    """

    def second_moments(self, indices: Sequence[int], before: Sequence[Any]) -> list[Any]:
        # Keras has no public name for a slot.
        return [self.optimizer._accumulators[i] for i in indices]

    def advance(self, mean: Any, mean_square: Any) -> Any:
        return mean + mean_square

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        return learning_rate / np.sqrt(statistic + self.optimizer.epsilon)

    @property
    def epsilon_limit(self) -> float:
        return self.optimizer.epsilon

    @property
    def epsilon_inside_root(self) -> float:
        return self.optimizer.epsilon


@save_as(keras.optimizers.Adagrad)
class Adagrad(Recording, implementation(keras.optimizers.Adagrad)):  # type: ignore[misc]
    """`keras.optimizers.Adagrad`, bit for bit, that can record its effective learning rate

        η / √(G + ε),   G ← G + g²

    which only ever falls (Duchi, Hazan, Singer 2011). It records while a callback of
    `keras_l4.callbacks` is in `fit`, and costs nothing otherwise; a saved model names
    `keras.optimizers.Adagrad`.

    Args:
        **kwargs: Those of `keras.optimizers.Adagrad`.

    Example:

    >>> optimizer = Adagrad(learning_rate=0.1, initial_accumulator_value=0.0)
    >>> optimizer.get_config()["initial_accumulator_value"]
    0.0
    """
