"""Custom train steps, written as in the Keras guide of each backend."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def _mse(y: Any, predicted: Any) -> Any:
    return ops.mean(ops.square(predicted - y))


class TensorFlowStep(keras.Sequential):
    def train_step(self, data: Any) -> Any:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = _mse(y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        pairs = zip(gradients, self.trainable_variables, strict=True)
        self.optimizer.apply_gradients(pairs)
        return {"loss": loss}


class JaxStep(keras.Sequential):
    def _loss(self, trainable: Any, other: Any, x: Any, y: Any) -> Any:
        predicted, other = self.stateless_call(trainable, other, x, training=True)
        return _mse(y, predicted), other

    def train_step(self, state: Any, data: Any) -> Any:
        import jax

        trainable, other, slots, metrics = state
        differentiated = jax.value_and_grad(self._loss, has_aux=True)
        (loss, other), gradients = differentiated(trainable, other, *data)
        trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
        return {"loss": loss}, (trainable, other, slots, metrics)


class TorchStep(keras.Sequential):
    def train_step(self, data: Any) -> Any:
        import torch

        x, y = data
        self.zero_grad()
        loss = _mse(y, self(x, training=True))
        loss.backward()
        variables = self.trainable_variables
        with torch.no_grad():
            self.optimizer.apply([v.value.grad for v in variables], variables)
        return {"loss": loss.detach()}


_MODELS = {"tensorflow": TensorFlowStep, "jax": JaxStep, "torch": TorchStep}
MODEL = _MODELS[keras.backend.backend()]
