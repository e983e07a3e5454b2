"""Filters: the elements of a weight that belong to one unit of a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4 import keras_internals

Axes: TypeAlias = tuple[int, ...]

_TINY = np.finfo(np.float64).tiny
_LAST, _BEFORE_LAST, _LAST_TWO, _FIRST = (-1,), (-2,), (-2, -1), (0,)
_AXES: Mapping[type, Axes] = {
    keras.layers.Dense: _LAST,
    keras.layers.Conv1D: _LAST,
    keras.layers.Conv2D: _LAST,
    keras.layers.Conv3D: _LAST,
    keras.layers.Conv1DTranspose: _BEFORE_LAST,
    keras.layers.Conv2DTranspose: _BEFORE_LAST,
    keras.layers.Conv3DTranspose: _BEFORE_LAST,
    keras.layers.DepthwiseConv1D: _LAST_TWO,
    keras.layers.DepthwiseConv2D: _LAST_TWO,
    keras.layers.Embedding: _FIRST,
    keras.layers.LSTM: _LAST,
    keras.layers.GRU: _LAST,
    keras.layers.SimpleRNN: _LAST,
}


def output_axes(model: Any) -> list[Axes | None]:
    """Returns, for each trainable variable, the axes that index filters; None if not known.

    Li et al. 2018 define a filter as the weights of one unit; their axes depend on the layer.
    """
    axes_by_variable = {
        id(variable): _axes_of(layer)
        for layer in keras_internals.leaf_layers(model)
        for variable in layer.trainable_variables
    }
    return [axes_by_variable.get(id(variable)) for variable in model.trainable_variables]


def is_vector(variable: Any) -> bool:
    """Returns True for a weight without filters: a scale, or a bias, which has two rows in a GRU."""
    return len(variable.shape) < 2 or variable.name == "bias"


def _axes_of(layer: Any) -> Axes | None:
    if isinstance(layer, keras.layers.EinsumDense):
        return _einsum_axes(layer.equation)
    return next((axes for cls, axes in _AXES.items() if isinstance(layer, cls)), None)


def _einsum_axes(equation: str) -> Axes:
    """Returns the axes of the kernel that the output has, but not the inputs.

    >>> _einsum_axes("abc,cde->abde")
    (1, 2)
    """
    inputs, _, rest = equation.partition(",")
    kernel, _, output = rest.partition("->")
    return tuple(i for i, name in enumerate(kernel) if name in output and name not in inputs)


def normalize_filters(
    direction: Sequence[np.ndarray], weights: Sequence[np.ndarray], axes: Sequence[Axes | None]
) -> list[np.ndarray]:
    """Scales each filter of a direction to the norm of the filter of the weights.

    A weight whose filters are not known is treated as one filter.
    """
    triples = zip(direction, weights, axes, strict=True)
    return [_normalize(d, w, filter_axes) for d, w, filter_axes in triples]


def _normalize(direction: np.ndarray, weight: np.ndarray, filter_axes: Axes | None) -> np.ndarray:
    indexing = {axis % weight.ndim for axis in filter_axes or ()}
    summed = tuple(axis for axis in range(weight.ndim) if axis not in indexing)
    return direction * _norm(weight, summed) / np.maximum(_norm(direction, summed), _TINY)


def _norm(array: np.ndarray, axes: Axes) -> np.ndarray:
    return np.sqrt(np.square(array).sum(axis=axes, keepdims=True))
