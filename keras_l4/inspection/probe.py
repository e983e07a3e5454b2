"""Probe: how the model and its layers answer a small fixed batch."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.inspection.activation_stats import layer_response
from keras_l4.inspection.fit_data import Data
from keras_l4.inspection.model_metadata import activation_name, layer_name
from keras_l4.inspection.prediction_scores import LossInfo, response
from keras_l4.records.annotations import ActivationStats, ProbeResult
from keras_l4.records.metadata import ModelMetadata


class Probe:
    """Runs the model on one batch, the same each time, and leaves no trace of it.

    The forward pass is stateless: what a layer assigns (statistics of BatchNormalization, states
    of seed generators) goes nowhere.

    Args:
        model: The model.
        data: What `fit` was given.
        facts: Facts about the model.
    """

    def __init__(self, model: Any, data: Data, facts: ModelMetadata) -> None:
        self._model = model
        self._facts = facts
        self._x, targets = data.batch()
        self._y = None if data.weighted else targets
        takes = inspect.signature(model.call).parameters
        self._mode = {"training": False} if "training" in takes else {}

    def look(self, step: int, epoch: int) -> ProbeResult:
        """The answers by now, after step `step`."""
        seen: list[ActivationStats] = []
        trainable, non_trainable = keras_internals.model_state(self._model)
        with keras_internals.same_random_state(), _watched(self._model, seen), _quiet():
            outputs, _ = self._model.stateless_call(
                trainable, non_trainable, self._inputs(), **self._mode
            )
        flat = keras.tree.flatten(outputs)
        output = _to_numpy(flat[0]) if len(flat) == 1 else np.empty((0, 1))
        targets = self._y if len(flat) == 1 else None
        question = LossInfo(targets, self._facts.loss, self._facts.from_logits)
        return response(step, epoch, tuple(seen), output, question)

    def _inputs(self) -> Any:
        return keras.tree.map_structure(keras.ops.convert_to_tensor, self._x)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What a layer has to warn of, it says in training."""
    # Not `catch_warnings`: after that Python would say anew what it has said in training.
    warn = warnings.warn
    warnings.warn = _ignored
    try:
        yield
    finally:
        warnings.warn = warn


def _ignored(*_: Any, **__: Any) -> None:
    pass


@contextlib.contextmanager
def _watched(model: Any, seen: list[ActivationStats]) -> Iterator[None]:
    """Layers without sublayers add what they answer to `seen`, each its first answer."""
    layers = keras_internals.leaf_layers(model)
    try:
        for layer in layers:
            _watch(layer, seen)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _watch(layer: Any, seen: list[ActivationStats]) -> None:
    call, name, activation = layer.call, layer_name(layer), activation_name(layer)

    def watched(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        flat = keras.tree.flatten(outputs)
        if flat and keras.ops.is_tensor(flat[0]) and name not in {s.name for s in seen}:
            seen.append(layer_response(name, _to_numpy(flat[0]), activation))
        return outputs

    # Straight into the dictionary: Keras and torch track what is assigned.
    vars(layer)["call"] = watched


def _to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)
