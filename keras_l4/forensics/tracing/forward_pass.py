"""The forward pass of TensorFlow's and torch's trainers, in pieces; JAX has it as one function."""

from __future__ import annotations

from typing import Any

import keras


def tensors(batch: Any) -> Any:
    """The batch as tensors."""

    def tensor(leaf: Any) -> Any:
        return None if leaf is None else keras.ops.convert_to_tensor(leaf)

    return keras.tree.map_structure(tensor, batch)


def called(model: Any, x: Any) -> Any:
    """What the model answers in training."""
    # The trainers ask it this way; a model's `call` need not take `training`.
    return model(x, training=True) if model._call_has_training_arg else model(x)


def losses(model: Any, batch: tuple[Any, Any, Any], outputs: Any) -> tuple[Any, Any]:
    """The loss, and the same multiplied by the loss scale.

    Args:
        model: A compiled model, which has just been called.
        batch: The inputs, targets and sample weights.
        outputs: What the model answered.
    """
    x, y, weight = batch
    # A `compute_loss` of the user's need not take `training`: this wrapper knows.
    loss = model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weight, training=True)
    return loss, loss if model.optimizer is None else model.optimizer.scale_loss(loss)
