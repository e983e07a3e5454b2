"""Probe: the predictions and layer outputs of a model for a small fixed batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.inspection.activation_stats import activation_stats
from keras_l4.inspection.fit_data import FitData
from keras_l4.inspection.model_metadata import activation_name, layer_name
from keras_l4.inspection.prediction_scores import LossInfo, probe_result
from keras_l4.records.annotations import ActivationStats, ProbeResult
from keras_l4.records.metadata import ModelMetadata

Tensor: TypeAlias = Any


class Probe:
    """Runs a model on the same batch again and again, without changing its state.

    The forward pass is stateless: values that a layer assigns (the statistics of
    BatchNormalization, the states of seed generators) are discarded.

    Args:
        model: The model.
        data: The data that `fit` was given.
        metadata: Metadata of the model.
    """

    def __init__(self, model: Any, data: FitData, metadata: ModelMetadata) -> None:
        self._model, self._metadata = model, metadata
        self._x, targets = data.probe_batch()
        self._targets = None if data.is_weighted else targets
        has_mode = "training" in inspect.signature(model.call).parameters
        self._mode = {"training": False} if has_mode else {}

    def run(self, step: int, epoch: int) -> ProbeResult:
        """Runs the model after step `step`, and scores its predictions."""
        layers: list[ActivationStats] = []
        trainable, non_trainable = keras_internals.variable_values(self._model)
        x = keras.tree.map_structure(keras.ops.convert_to_tensor, self._x)
        with (
            keras_internals.preserve_random_state(),
            _observed_layers(self._model, layers),
            # A layer issues its warnings in training, too.
            keras_internals.silence_warnings(),
        ):
            outputs, _ = self._model.stateless_call(trainable, non_trainable, x, **self._mode)
        flat = keras.tree.flatten(outputs)
        has_one_output = len(flat) == 1
        output = _to_numpy(flat[0]) if has_one_output else np.empty((0, 1))
        targets = self._targets if has_one_output else None
        loss_info = LossInfo(targets, self._metadata.loss, self._metadata.from_logits)
        return probe_result(step, epoch, tuple(layers), output, loss_info)


def _observed_layers(model: Any, stats: list[ActivationStats]) -> AbstractContextManager[None]:
    """Makes each layer without sublayers append the statistics of its first call to `stats`."""

    def observed(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        name, activation = layer_name(layer), activation_name(layer)

        def observed_call(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            flat = keras.tree.flatten(outputs)
            if flat and keras.ops.is_tensor(flat[0]) and name not in {s.name for s in stats}:
                stats.append(activation_stats(name, _to_numpy(flat[0]), activation))
            return outputs

        return observed_call

    return keras_internals.override_calls(keras_internals.leaf_layers(model), observed)


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)
