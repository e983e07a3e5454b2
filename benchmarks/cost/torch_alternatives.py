"""Other ways to see gradients on torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import torch
from layer_norms import log_collector, norms_by_layer
from variants import Variant


class _NormsInLogs(keras.Model):
    def train_step(self, data: Any) -> dict[str, Any]:
        inputs, labels = data
        self.zero_grad()
        loss = self.compute_loss(inputs, labels, self(inputs, training=True))
        loss.backward()
        weights = self.trainable_weights
        gradients = [weight.value.grad for weight in weights]
        with torch.no_grad():
            self.optimizer.apply(gradients, weights)
            logs = norms_by_layer(weights, gradients)
        [tracker] = self.metrics
        tracker.update_state(loss)
        return logs | {"loss": tracker.result()}


def logging_model(_folder: Path) -> type[keras.Model]:
    """Returns a model class whose train step logs one gradient norm per layer."""
    return _NormsInLogs


ALTERNATIVES = [Variant("norms in the logs", prepare=logging_model, callbacks=log_collector)]
