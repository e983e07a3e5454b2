"""The preconditioner of an optimizer: the diagonal by which it divides the direction of its step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.optimizers.closed_forms import effective_rate_of
from keras_l4.recorder.effective_rate import AdaptiveRate, MeasuredRate


def preconditioner(model: Any) -> np.ndarray:
    """Returns P = η / effective learning rate, per weight, `float64[size]`.

    Computed by the closed forms of `keras_l4.optimizers` from the present slots: 1 for SGD, √(G + ε)
    for Adagrad, √(v + ε) for RMSprop, (1 - β₁ᵗ)(√v + ε)/√(1 - β₂ᵗ) for Adam. The last one is that of
    Cohen et al. 2022, with ε at Keras' place. Clipping and weight decay are not included.

    Args:
        model: A compiled model. An adaptive optimizer must have taken a step.

    Raises:
        ValueError: The optimizer has no closed form, or is adaptive and has taken no step yet.
    """
    optimizer = keras_internals.unwrap_loss_scaling(model.optimizer)
    rate = effective_rate_of(optimizer)
    if isinstance(rate, MeasuredRate):
        raise ValueError(
            f"{type(optimizer).__name__} has no closed form of its effective learning rate, so that "
            "its preconditioner is not known. Use preconditioned=False, or one of the optimizers "
            "of keras_l4.optimizers."
        )
    if not isinstance(rate, AdaptiveRate):
        return np.ones(sum(int(np.prod(v.shape)) for v in model.trainable_variables))
    with current_optimizer_values(model):
        return _preconditioner_from_slots(rate, model.trainable_variables)


@contextlib.contextmanager
def current_optimizer_values(model: Any) -> Iterator[None]:
    """Gives the optimizer's variables their current values inside the context.

    While JAX trains, the variables do not have them.
    """
    values = keras_internals.read_state(model)["optimizer"]
    pairs = zip(model.optimizer.variables, values, strict=True)
    state = [(variable, keras.ops.convert_to_tensor(value)) for variable, value in pairs]
    with keras.StatelessScope(state):
        yield


def _preconditioner_from_slots(rate: AdaptiveRate, variables: list[Any]) -> np.ndarray:
    optimizer = rate.optimizer
    num_steps = np.asarray(keras_internals.num_iterations(optimizer))
    if not num_steps:
        raise ValueError(
            f"{type(optimizer).__name__} has taken no step yet, so that its slots are empty and its "
            "preconditioner is not known. Train for at least one step, or use preconditioned=False."
        )
    indices = [keras_internals.variable_index(optimizer, variable) for variable in variables]
    slots = list(map(_to_numpy, rate.pre_update_slots(indices)))
    moments = rate.second_moments(indices, slots)
    nominal = np.asarray(_to_numpy(optimizer.learning_rate))
    rates = [rate.compute(nominal, num_steps, _to_numpy(m)).reshape(-1) for m in moments]
    return nominal / np.concatenate(rates)


def _to_numpy(tensor: Any) -> np.ndarray:
    array = keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor))
    return np.asarray(array, np.float64)
