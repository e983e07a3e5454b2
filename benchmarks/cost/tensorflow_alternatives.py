"""What TensorFlow users do today to see gradients and non-finite values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from by_hand import by_layer
from contenders import Callbacks, Contender


def _write_norms(weights: list[keras.Variable], gradients: list[tf.Tensor]) -> None:
    for layer, of_layer in by_layer(weights, gradients):
        tf.summary.scalar(f"gradient_norm/{layer}", tf.linalg.global_norm(of_layer))


def summary_model(folder: Path) -> type[keras.Model]:
    """A model class whose train step writes one gradient norm per layer with `tf.summary`."""
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
    """The stock TensorBoard callback, at every batch."""
    return [keras.callbacks.TensorBoard(str(log_dir), update_freq="batch", histogram_freq=1)]


def check_numerics(_folder: Path) -> type[keras.Model]:
    """Every operation of the process is checked for NaN and Inf."""
    tf.debugging.enable_check_numerics()
    return keras.Model


def debugger_v2(folder: Path) -> type[keras.Model]:
    """Every tensor of the process is summarized in a dump."""
    # Never disabled again: a function traced under it crashes the process afterwards (TF 2.21).
    tf.debugging.experimental.enable_dump_debug_info(str(folder), tensor_debug_mode="CURT_HEALTH")
    return keras.Model


ALTERNATIVES = [
    Contender("tf.summary per layer", prepare=summary_model),
    Contender("TensorBoard(batch)", callbacks=tensorboard),
    Contender("check_numerics", prepare=check_numerics, own_process=True),
    Contender("Debugger V2", prepare=debugger_v2, own_process=True),
]
