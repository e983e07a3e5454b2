"""Metadata of a model at the beginning of its training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.inspection.fit_data import FitData
from keras_l4.recorder.layout import describe_variables
from keras_l4.records.metadata import LayerMetadata, ModelMetadata, VariableMetadata

_MAX_SAMPLE = 2**16
# Layers that are an activation function themselves.
_ACTIVATION_LAYERS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}


def model_metadata(
    model: Any, optimizer: Any, data: FitData, *, step: int, iterations: int
) -> ModelMetadata:
    """Returns the metadata of `model` before it is trained on `data`.

    Args:
        model: The model.
        optimizer: The optimizer that is recorded.
        data: The data that `fit` was given.
        step: Number of the next step.
        iterations: Keras' `optimizer.iterations` before that step.
    """
    loss, from_logits = _loss(model)
    return ModelMetadata(
        step=step,
        iterations=iterations,
        optimizer=type(keras_internals.unwrap_loss_scaling(optimizer)).__name__,
        hyperparameters=_hyperparameters(optimizer),
        loss=loss,
        from_logits=from_logits,
        steps_per_epoch=data.steps_per_epoch,
        batch_size=data.batch_size,
        layers=tuple(map(_layer_metadata, keras_internals.leaf_layers(model))),
        output_width=_output_width(model),
        variables=_variables(model, optimizer),
        inputs=data.input_metadata(),
        targets=data.target_metadata(loss),
    )


def layer_name(layer: Any) -> str:
    """Returns the name under which the layer's variables are recorded, or else its own name."""
    paths = [variable.path for variable in layer.weights]
    return paths[0].rpartition("/")[0] if paths else layer.name


def activation_name(layer: Any) -> str:
    """Returns the name of the layer's activation function; empty if it has none."""
    function = getattr(layer, "activation", None)
    if function is None:
        return _ACTIVATION_LAYERS.get(type(layer).__name__, "")
    return getattr(function, "__name__", "")


def _layer_metadata(layer: Any) -> LayerMetadata:
    return LayerMetadata(
        layer_name(layer), type(layer).__name__, activation_name(layer), layer.compute_dtype
    )


def _variables(model: Any, optimizer: Any) -> tuple[VariableMetadata, ...]:
    variables = model.trainable_variables
    # An optimizer that is not built yet will be built with all of them.
    trained = keras_internals.trained_variables(optimizer) if optimizer.built else variables
    trained_ids = set(map(id, trained))
    pairs = zip(variables, describe_variables(variables), strict=True)
    return tuple(
        _variable_metadata(v, description.path, description.layer, id(v) in trained_ids)
        for v, description in pairs
    )


def _variable_metadata(
    variable: Any, path: str, layer: str, is_in_optimizer: bool
) -> VariableMetadata:
    sample = _sample(variable)
    fan_in, fan_out = _fans(variable.shape)
    return VariableMetadata(
        path=path,
        layer=layer,
        shape=tuple(variable.shape),
        is_in_optimizer=is_in_optimizer,
        fan_in=fan_in,
        fan_out=fan_out,
        mean=float(sample.mean()) if sample.size else 0.0,
        std=float(sample.std()) if sample.size else 0.0,
        is_symmetric=_is_symmetric(sample),
    )


def _sample(variable: Any) -> np.ndarray:
    """Returns the first rows of the variable in float64, at most 65,536 elements or one row."""
    shape = tuple(variable.shape)
    row_size = int(np.prod(shape[1:]))
    value = keras.ops.convert_to_tensor(variable)
    if shape and row_size * shape[0] > _MAX_SAMPLE:
        value = value[: max(1, _MAX_SAMPLE // row_size)]
    return np.asarray(keras.ops.convert_to_numpy(value), np.float64)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """Returns fan-in and fan-out as Keras' initializers count them; (0, 0) for a vector."""
    if len(shape) < 2:
        return 0, 0
    receptive_field = int(np.prod(shape[:-2]))
    return int(shape[-2]) * receptive_field, int(shape[-1]) * receptive_field


def _is_symmetric(kernel: np.ndarray) -> bool:
    """Returns True if there are several units and all of them have the same weights."""
    if kernel.ndim < 2 or kernel.shape[-1] < 2:
        return False
    units = kernel.reshape(-1, kernel.shape[-1])
    return bool((units == units[:, :1]).all())


def _hyperparameters(optimizer: Any) -> dict[str, float]:
    config = keras_internals.unwrap_loss_scaling(optimizer).get_config()
    return {k: float(v) for k, v in config.items() if isinstance(v, (int, float))}


def _loss(model: Any) -> tuple[str, bool]:
    """Returns the name of the only loss function, and whether it takes logits."""
    loss = model.loss if model.compiled else None
    if isinstance(loss, (list, tuple, dict)) or loss is None:
        return "", False
    loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None) or re.sub(r"(?<!^)(?=[A-Z])", "_", type(loss).__name__)
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    return name.lower().strip("_"), bool(config.get("from_logits", False))


def _output_width(model: Any) -> int:
    """Returns the size of the last axis of the only output; 0 if it is unknown."""
    try:
        shape = model.output_shape
    except (AttributeError, ValueError, RuntimeError):
        # A subclassed model has no graph, and hence no output shape.
        return 0
    is_known = isinstance(shape, tuple) and len(shape) > 1 and isinstance(shape[-1], int)
    return shape[-1] if is_known else 0
