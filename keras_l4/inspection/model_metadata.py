"""Static facts about a model as its training begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.inspection.fit_data import Data
from keras_l4.recorder.layout import describe
from keras_l4.records.metadata import LayerMetadata, ModelMetadata, VariableMetadata

_SAMPLE = 2**16
# Classes that are an activation themselves.
_ACTIVATIONS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}


def model_facts(model: Any, optimizer: Any, at: tuple[int, int], data: Data) -> ModelMetadata:
    """What there is to know of `model` before its training on `data`.

    Args:
        model: The model.
        optimizer: The optimizer that is recorded.
        at: The next step, and Keras' `iterations` at its begin.
        data: What `fit` was given.
    """
    step, iterations = at
    loss, from_logits = _loss(model)
    return ModelMetadata(
        step=step,
        iterations=iterations,
        optimizer=type(keras_internals.inner_optimizer(optimizer)).__name__,
        hyperparameters=_numbers(optimizer),
        loss=loss,
        from_logits=from_logits,
        steps_per_epoch=data.steps_per_epoch,
        batch_size=data.batch_size,
        layers=tuple(map(_layer, keras_internals.leaf_layers(model))),
        output_width=_output_width(model),
        variables=_variables(model, optimizer),
        inputs=data.input_facts(),
        targets=data.target_facts(loss),
    )


def layer_name(layer: Any) -> str:
    """The name under which the layer's variables are recorded, or else its own."""
    paths = [variable.path for variable in layer.weights]
    return paths[0].rpartition("/")[0] if paths else layer.name


def activation_name(layer: Any) -> str:
    """Name of the layer's activation function, empty where it has none."""
    function = getattr(layer, "activation", None)
    name = _ACTIVATIONS.get(type(layer).__name__, "")
    return name if function is None else getattr(function, "__name__", "")


def _layer(layer: Any) -> LayerMetadata:
    return LayerMetadata(
        layer_name(layer), type(layer).__name__, activation_name(layer), layer.compute_dtype
    )


def _variables(model: Any, optimizer: Any) -> tuple[VariableMetadata, ...]:
    variables = model.trainable_variables
    # One that is not built yet will get all of them.
    trained = keras_internals.trained_variables(optimizer) if optimizer.built else variables
    known = set(map(id, trained))
    pairs = zip(variables, describe(variables), strict=True)
    return tuple(_variable(v, d.path, d.layer, id(v) in known) for v, d in pairs)


def _variable(variable: Any, path: str, layer: str, in_optimizer: bool) -> VariableMetadata:
    sample = _sample(variable)
    fan_in, fan_out = _fans(variable.shape)
    return VariableMetadata(
        path=path,
        layer=layer,
        shape=tuple(variable.shape),
        in_optimizer=in_optimizer,
        fan_in=fan_in,
        fan_out=fan_out,
        mean=float(sample.mean()) if sample.size else 0.0,
        std=float(sample.std()) if sample.size else 0.0,
        max_abs=float(np.abs(sample).max(initial=0.0)),
        symmetric=_symmetric(sample),
    )


def _sample(variable: Any) -> np.ndarray:
    """The first rows of the variable, as many as the sample holds, in float64."""
    shape = tuple(variable.shape)
    per_row = int(np.prod(shape[1:]))
    value = keras.ops.convert_to_tensor(variable)
    if shape and per_row * shape[0] > _SAMPLE:
        value = value[: max(1, _SAMPLE // per_row)]
    return np.asarray(keras.ops.convert_to_numpy(value), np.float64)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """Inputs and outputs of a unit as Keras' initializers count them; (0, 0) for a vector."""
    if len(shape) < 2:
        return 0, 0
    field = int(np.prod(shape[:-2]))
    return int(shape[-2]) * field, int(shape[-1]) * field


def _symmetric(kernel: np.ndarray) -> bool:
    """Whether all units, of which there are several, have the same weights."""
    if kernel.ndim < 2 or kernel.shape[-1] < 2:
        return False
    units = kernel.reshape(-1, kernel.shape[-1])
    return bool((units == units[:, :1]).all())


def _numbers(optimizer: Any) -> dict[str, float]:
    config = keras_internals.inner_optimizer(optimizer).get_config()
    numbers = {k: v for k, v in config.items() if isinstance(v, (int, float))}
    return {name: float(number) for name, number in numbers.items()}


def _loss(model: Any) -> tuple[str, bool]:
    """Name of the only loss function, and whether it wants logits."""
    loss = model.loss if model.compiled else None
    if isinstance(loss, (list, tuple, dict)) or loss is None:
        return "", False
    loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None) or re.sub(r"(?<!^)(?=[A-Z])", "_", type(loss).__name__)
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    return name.lower().strip("_"), bool(config.get("from_logits", False))


def _output_width(model: Any) -> int:
    try:
        shape = model.output_shape
    except (AttributeError, ValueError, RuntimeError):
        # A subclassed model has no graph.
        return 0
    is_one = isinstance(shape, tuple) and len(shape) > 1 and isinstance(shape[-1], int)
    return shape[-1] if is_one else 0
