"""Other ways to see gradients on JAX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import keras
from layer_norms import log_collector, norms_by_layer
from variants import Variant


class _NormsInLogs(keras.Model):
    def _loss(self, trainable: Any, other: Any, inputs: Any, labels: Any) -> tuple[Any, Any]:
        outputs, other = self.stateless_call(trainable, other, inputs, training=True)
        return self.compute_loss(inputs, labels, outputs), other

    def train_step(self, state: Any, data: Any) -> tuple[Any, Any]:
        trainable, other, optimizer, metrics = state
        gradient_function = jax.value_and_grad(self._loss, has_aux=True)
        (loss, other), gradients = gradient_function(trainable, other, *data)
        logs = norms_by_layer(self.trainable_variables, gradients)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        [tracker] = self.metrics
        metrics = tracker.stateless_update_state(metrics, loss)
        logs["loss"] = tracker.stateless_result(metrics)
        return logs, (trainable, other, optimizer, metrics)


def logging_model(_folder: Path) -> type[keras.Model]:
    """Returns a model class whose train step logs one gradient norm per layer."""
    return _NormsInLogs


ALTERNATIVES = [Variant("norms in the logs", prepare=logging_model, callbacks=log_collector)]
