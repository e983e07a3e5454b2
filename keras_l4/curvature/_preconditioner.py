"""The diagonal by which an optimizer divides the direction of its step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.optimizers.closed_forms import rate_of
from keras_l4.recorder.effective_rate import AdaptiveRate, MeasuredRate


def preconditioner(model: Any) -> np.ndarray:
    """P = η / effective learning rate, per weight, `float64[size]`.

    With the closed forms of `keras_l4.optimizers`, from the slots as they are: 1 for SGD,
    √(G + ε) for Adagrad, √(v + ε) for RMSprop, (1 - β₁ᵗ)(√v + ε)/√(1 - β₂ᵗ) for Adam, which is
    that of Cohen et al. 2022 with Keras' place of ε. Clipping and weight decay are not in it.

    Args:
        model: A compiled model, of which an adaptive optimizer has taken a step.

    Raises:
        ValueError: The optimizer has no closed form, or has taken no step yet.
    """
    optimizer = keras_internals.inner_optimizer(model.optimizer)
    rate = rate_of(optimizer)
    if isinstance(rate, MeasuredRate):
        raise ValueError(
            f"{type(optimizer).__name__} has no closed form of its effective learning rate, so that "
            "its preconditioner is not known. Use preconditioned=False, or one of the optimizers "
            "of keras_l4.optimizers."
        )
    if not isinstance(rate, AdaptiveRate):
        return np.ones(sum(int(np.prod(v.shape)) for v in model.trainable_variables))
    with optimizer_state(model):
        return _from_slots(rate, model.trainable_variables)


@contextlib.contextmanager
def optimizer_state(model: Any) -> Iterator[None]:
    """The optimizer's variables have the values they have in training.

    While JAX trains, those are not in the variables.
    """
    held = zip(
        model.optimizer.variables, keras_internals.read_state(model)["optimizer"], strict=True
    )
    pairs = [(variable, keras.ops.convert_to_tensor(value)) for variable, value in held]
    with keras.StatelessScope(pairs):
        yield


def _from_slots(rate: AdaptiveRate, variables: list[Any]) -> np.ndarray:
    optimizer = rate.optimizer
    t = np.asarray(keras_internals.num_iterations(optimizer))
    if not t:
        raise ValueError(
            f"{type(optimizer).__name__} has taken no step yet: its slots hold nothing to scale by. "
            "Train for a step at least, or use preconditioned=False."
        )
    slots = [keras_internals.variable_index(optimizer, variable) for variable in variables]
    moments = rate.second_moments(slots, list(map(_array, rate.slots_before(slots))))
    nominal = np.asarray(_array(optimizer.learning_rate))
    rates = [rate.rate(nominal, t, _array(moment)).reshape(-1) for moment in moments]
    return nominal / np.concatenate(rates)


def _array(tensor: Any) -> np.ndarray:
    held = keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor))
    return np.asarray(held, np.float64)
