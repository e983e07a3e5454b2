"""Custom training loops, one per backend, as in the Keras guides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Batches = Sequence[tuple[Any, Any]]
OnStep = Callable[[Any, Sequence[Any]], object]


def run(model: Any, optimizer: Any, batches: Batches, on_step: OnStep, jit: bool = False) -> None:
    """Trains on the mean squared error; calls `on_step` with the loss and the optimizer's variables."""
    _LOOPS[keras.backend.backend()](model, optimizer, batches, on_step, jit)


def _mse(y: Any, predicted: Any) -> Any:
    return ops.mean(ops.square(predicted - y))


def _tensorflow(model: Any, optimizer: Any, batches: Batches, on_step: OnStep, jit: bool) -> None:
    import tensorflow as tf

    @tf.function(jit_compile=jit)
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = _mse(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    for x, y in batches:
        on_step(step(tf.constant(x), tf.constant(y)), ())


def _jax(model: Any, optimizer: Any, batches: Batches, on_step: OnStep, jit: bool) -> None:
    import jax

    def loss(trainable: Any, x: Any, y: Any) -> Any:
        predicted, _ = model.stateless_call(trainable, [], x, training=True)
        return _mse(y, predicted)

    @jax.jit
    def step(trainable: Any, slots: Any, x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(trainable, x, y)
        return value, *optimizer.stateless_apply(slots, gradients, trainable)

    trainable = [v.value for v in model.trainable_variables]
    slots = [v.value for v in optimizer.variables]
    for x, y in batches:
        value, trainable, slots = step(trainable, slots, x, y)
        on_step(value, slots)
    variables = [*model.trainable_variables, *optimizer.variables]
    for variable, array in zip(variables, [*trainable, *slots], strict=True):
        variable.assign(array)


def _torch(model: Any, optimizer: Any, batches: Batches, on_step: OnStep, jit: bool) -> None:
    import torch

    for x, y in batches:
        model.zero_grad()
        loss = _mse(ops.convert_to_tensor(y), model(x, training=True))
        loss.backward()
        with torch.no_grad():
            gradients = [v.value.grad for v in model.trainable_variables]
            optimizer.apply(gradients, model.trainable_variables)
        on_step(loss, ())


_LOOPS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
