"""What torch users do today to see gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import torch
from by_hand import norms, rows
from contenders import Contender


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
            logs = norms(weights, gradients)
        [tracker] = self.metrics
        tracker.update_state(loss)
        return logs | {"loss": tracker.result()}


def logging_model(_folder: Path) -> type[keras.Model]:
    """A model class whose train step logs one gradient norm per layer."""
    return _NormsInLogs


ALTERNATIVES = [Contender("norms in the logs", prepare=logging_model, callbacks=rows)]
