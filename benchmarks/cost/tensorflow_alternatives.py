"""Other tools for TensorFlow that show gradients and non-finite values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from layer_norms import group_by_layer
from variants import Callbacks, Variant


def _write_norms(weights: list[keras.Variable], gradients: list[tf.Tensor]) -> None:
    for layer, layer_gradients in group_by_layer(weights, gradients):
        tf.summary.scalar(f"gradient_norm/{layer}", tf.linalg.global_norm(layer_gradients))


def summary_model(folder: Path) -> type[keras.Model]:
    """Returns a model class whose train step writes one norm per layer by `tf.summary`."""
    writer = tf.summary.create_file_writer(str(folder))

    class SummaryModel(keras.Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            inputs, labels = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(inputs, labels, self(inputs, training=True))
            gradients = tape.gradient(loss, self.trainable_weights)
            with writer.as_default(step=tf.cast(self.optimizer.iterations, tf.int64)):
                _write_norms(self.trainable_weights, gradients)
            self.optimizer.apply(gradients, self.trainable_weights)
            [loss_metric] = self.metrics
            loss_metric.update_state(loss)
            return {"loss": loss_metric.result()}

    return SummaryModel


def tensorboard(log_dir: Path) -> Callbacks:
    """Returns Keras' TensorBoard callback, writing at every batch."""
    return [keras.callbacks.TensorBoard(str(log_dir), update_freq="batch", histogram_freq=1)]


def check_numerics(_folder: Path) -> type[keras.Model]:
    """Makes TensorFlow check every operation for NaN and Inf."""
    tf.debugging.enable_check_numerics()
    return keras.Model


def debugger_v2(folder: Path) -> type[keras.Model]:
    """Makes TensorFlow dump a summary of every tensor."""
    # Not disabled afterwards: functions traced with it would crash the process (TensorFlow 2.21).
    tf.debugging.experimental.enable_dump_debug_info(str(folder), tensor_debug_mode="CURT_HEALTH")
    return keras.Model


ALTERNATIVES = [
    Variant("tf.summary per layer", prepare=summary_model),
    Variant("TensorBoard(batch)", callbacks=tensorboard),
    Variant("check_numerics", prepare=check_numerics, needs_own_process=True),
    Variant("Debugger V2", prepare=debugger_v2, needs_own_process=True),
]
