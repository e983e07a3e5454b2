"""Adadelta that records its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.backend.interface import Array, Tensor
from keras_l4.keras_internals import backend_class, optimizer_slots, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.effective_rate import AdaptiveRate


@closed_form(keras.optimizers.Adadelta)
class AdadeltaRate(AdaptiveRate):
    """η √(s + ε) / √(v + ε),  v ← ρv + (1 - ρ)g².  The direction is the gradient.

    s is the moving average of squared updates before this step. The quotient (v + ε) / (s + ε)
    takes the place of the second moment. Source: Zeiler 2012.
    """

    def pre_update_slots(self, slot_indices: Sequence[int]) -> list[Any]:
        slots = optimizer_slots(self.optimizer, "accumulated_delta_vars")
        return [slots[i] for i in slot_indices]

    def second_moments(
        self, slot_indices: Sequence[int], pre_update_values: Sequence[Tensor]
    ) -> list[Tensor]:
        gradients = optimizer_slots(self.optimizer, "accumulated_grads")
        pairs = zip(slot_indices, pre_update_values, strict=True)
        return [self._quotient(gradients[i], s) for i, s in pairs]

    def _quotient(self, v: Any, s: Tensor) -> Tensor:
        numerator = backend.core.to_float32(ops.convert_to_tensor(v)) + self.optimizer.epsilon
        denominator = ops.reshape(backend.core.to_float32(s), v.shape) + self.optimizer.epsilon
        return numerator / denominator

    def compute(self, learning_rate: Array, t: Array, statistic: Array) -> Array:
        return learning_rate / np.sqrt(statistic.astype(np.float64))


@save_as(keras.optimizers.Adadelta)
class Adadelta(RecordingMixin, backend_class(keras.optimizers.Adadelta)):  # type: ignore[misc]
    """`keras.optimizers.Adadelta` that can record its effective learning rate.

        η √(s + ε) / √(v + ε),   v ← ρv + (1 - ρ)g²

    s and v are moving averages of squared updates and squared gradients (Zeiler 2012).

    Updates are bit-for-bit those of `keras.optimizers.Adadelta`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.Adadelta`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.Adadelta`.

    Example:

    >>> optimizer = Adadelta(1.0, rho=0.9)
    >>> optimizer.get_config()["rho"]
    0.9
    """
