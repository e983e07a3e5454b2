"""Adadelta that records what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.keras_internals import implementation, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import Recording
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adadelta)
class AdadeltaRate(AdaptiveRate):
    """η √(s + ε) / √(v + ε),  v ← ρv + (1 - ρ)g².  The direction is the gradient.

    s, the moving average of squared updates, is that of the steps before. The quotient
    (v + ε) / (s + ε) stands where other methods have a second moment. Zeiler 2012.
    """

    def slots_before(self, indices: Sequence[int]) -> list[Any]:
        # Keras has no public name for a slot.
        return [self.optimizer._accumulated_delta_vars[i] for i in indices]

    def second_moments(self, indices: Sequence[int], before: Sequence[Any]) -> list[Any]:
        slots = [self.optimizer._accumulated_grads[i] for i in indices]
        return [self._quotient(v, s) for v, s in zip(slots, before, strict=True)]

    def _quotient(self, v: Any, s: Any) -> Any:
        numerator, denominator = (
            backend.core.to_float32(ops.convert_to_tensor(v)),
            backend.core.to_float32(s),
        )
        epsilon = self.optimizer.epsilon
        return (numerator + epsilon) / (ops.reshape(denominator, v.shape) + epsilon)

    def rate(self, learning_rate: np.ndarray, t: np.ndarray, statistic: np.ndarray) -> np.ndarray:
        return learning_rate / np.sqrt(statistic.astype(np.float64))


@save_as(keras.optimizers.Adadelta)
class Adadelta(Recording, implementation(keras.optimizers.Adadelta)):  # type: ignore[misc]
    """`keras.optimizers.Adadelta`, bit for bit, that can record its effective learning rate

        η √(s + ε) / √(v + ε)

    with s and v the moving averages of squared updates and gradients (Zeiler 2012). It records
    while a callback of `keras_l4.callbacks` is in `fit`, and costs nothing otherwise; a saved
    model names `keras.optimizers.Adadelta`.

    Args:
        **kwargs: Those of `keras.optimizers.Adadelta`.

    Example:

    >>> optimizer = Adadelta(1.0, rho=0.9)
    >>> optimizer.get_config()["rho"]
    0.9
    """
