"""Parts of the train step that the traces of several backends share."""

from __future__ import annotations

from typing import Any

import keras

from keras_l4 import keras_internals
from keras_l4.forensics.tracing.inputs import Batch, Tensor


def to_tensors(batch: Batch) -> Batch:
    """Converts the arrays of a batch to tensors."""

    def to_tensor(leaf: Any) -> Tensor:
        return None if leaf is None else keras.ops.convert_to_tensor(leaf)

    return keras.tree.map_structure(to_tensor, batch)


def compute_losses(model: Any, batch: Batch, outputs: Any) -> tuple[Tensor, Tensor]:
    """Returns the loss, and the loss multiplied by the loss scale.

    Args:
        model: A compiled model that has just been called.
        batch: The batch.
        outputs: Outputs of the model for the batch.
    """
    loss = keras_internals.compute_loss(model, batch, outputs, training=True)
    return loss, loss if model.optimizer is None else model.optimizer.scale_loss(loss)


def loss_scale_factor(optimizer: Any) -> float:
    """Returns the factor by which the optimizer multiplies the loss; 1 without an optimizer."""
    if optimizer is None:
        return 1.0
    return float(keras.ops.convert_to_numpy(optimizer.scale_loss(keras.ops.ones(()))))
