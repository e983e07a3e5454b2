"""Reference gradients, computed by the backend's autodiff without optimizer and recorder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

Gradients = list[np.ndarray]


def gradient_function(model: Any) -> Callable[[Any, Any, float], Gradients]:
    """Returns a function of inputs, targets and loss scale.

    It computes one float64 gradient per trainable variable and does not change the model.
    """
    return _BACKENDS[keras.backend.backend()](model)


def _loss(targets: Any, outputs: Any, losses: Sequence[Any]) -> Any:
    pairs = zip(tree.flatten(targets), tree.flatten(outputs), strict=True)
    errors = [ops.mean(ops.square(ops.cast(out, "float32") - y)) for y, out in pairs]
    return sum([*errors, *(ops.cast(loss, "float32") for loss in losses)])


def _unscale(gradient: Any, scale: float) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(gradient), "float64") / scale


def _tensorflow(model: Any) -> Callable[..., Gradients]:
    import tensorflow as tf

    def differentiate(x: Any, y: Any, scale: float) -> Gradients:
        with tf.GradientTape() as tape:
            outputs = model(tree.map_structure(tf.constant, x), training=True)
            loss = scale * _loss(y, outputs, model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        return [_unscale(tf.convert_to_tensor(g), scale) for g in gradients]

    return differentiate


def _jax(model: Any) -> Callable[..., Gradients]:
    import jax

    def scaled_loss(trainable: Any, other: Any, x: Any, y: Any, scale: float) -> Any:
        outputs, _, losses = model.stateless_call(
            trainable, other, x, training=True, return_losses=True
        )
        return scale * _loss(y, outputs, losses)

    compiled = jax.jit(jax.grad(scaled_loss))

    def differentiate(x: Any, y: Any, scale: float) -> Gradients:
        trainable = [v.value for v in model.trainable_variables]
        other = [v.value for v in model.non_trainable_variables]
        return [_unscale(g, scale) for g in compiled(trainable, other, x, y, scale)]

    return differentiate


def _torch(model: Any) -> Callable[..., Gradients]:
    import torch

    def differentiate(x: Any, y: Any, scale: float) -> Gradients:
        inputs, targets = tree.map_structure(ops.convert_to_tensor, (x, y))
        loss = scale * _loss(targets, model(inputs, training=True), model.losses)
        variables = [v.value for v in model.trainable_variables]
        return [_unscale(g, scale) for g in torch.autograd.grad(loss, variables)]

    return differentiate


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
