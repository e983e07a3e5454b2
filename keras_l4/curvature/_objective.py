"""Objective: the loss of a model over all of its data, as a function of one flat vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.curvature import autodiff
from keras_l4.curvature._sample import check_sample, num_examples

BATCH_SIZE = 256
_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}


class Objective:
    """The loss at the model's weights, its gradient, and products with its Hessian.

    The loss is the mean over batches, weighted with their numbers of examples: for the losses of
    Keras, which are means over examples, that of all the data at once. Weights are one float64
    vector, `[size]`; the model computes in its own dtype, sums over batches are in float64.

    Args:
        model: A compiled model. Its variables stay as they are.
        x: Inputs: an array, or a structure of them. An `np.memmap` is read batch by batch.
        y: Targets, likewise; None where the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        batch_size: Examples that are computed at once; the result does not depend on it.

    Raises:
        TypeError: The data are no arrays.
        ValueError: The model is not compiled or has nothing to train, or the arrays do not fit
            together.
    """

    def __init__(
        self, model: Any, x: Any, y: Any = None, sample_weight: Any = None, *, batch_size: int
    ) -> None:
        _check_model(model)
        check_sample(x, y, sample_weight)
        self._data = (x, y, sample_weight)
        self.num_examples = num_examples(self._data)
        self.batch_size = min(batch_size, self.num_examples)
        keras_internals.build_model(model, self._batch(slice(0, self.batch_size)))
        _check_layers(model)
        self.variables: Sequence[Any] = model.trainable_variables
        held, self._rest = keras_internals.model_state(model)
        self._held = list(map(keras.ops.convert_to_tensor, held))
        self._derivatives = autodiff.model_derivatives(model)
        self._whole: Any = None
        self.weights = self._flat(self._held)
        self.size = self.weights.size
        dtypes = [layer.compute_dtype for layer in keras_internals.leaf_layers(model)]
        self.epsilon = max(map(_epsilon, [*dtypes, *(v.dtype for v in self.variables)]))

    def loss(self, at: np.ndarray | None = None, where: slice | None = None) -> float:
        """The loss at these weights, those of the model if None; over a slice of the examples."""
        values = self._values(at)
        batches = self._batches(where)
        return float(_mean((n, self._scalar(values, batch)) for n, batch in batches))

    def gradient(
        self, at: np.ndarray | None = None, where: slice | None = None
    ) -> tuple[float, np.ndarray]:
        """The loss, and its gradient, `float64[size]`."""
        values = self._values(at)
        both = _mean((n, self._slope(values, batch)) for n, batch in self._batches(where))
        return float(both[0]), both[1:]

    def product(self, vector: np.ndarray) -> np.ndarray:
        """The Hessian at the model's weights times `vector`, `float64[size]`."""
        tangents = self._tensors(vector)
        return _mean((n, self._flat(product(tangents))) for n, product in self._products())

    def parts(self) -> list[np.ndarray]:
        """The weights in the shapes of the variables, float64."""
        return list(map(_array, self._held))

    def _products(self) -> Iterator[tuple[int, Any]]:
        """The Hessian of each batch; that of a single one stays at hand for the next vector."""
        if self._whole is not None:
            yield self.num_examples, self._whole
            return
        for n, batch in self._batches(None):
            product = self._derivatives.hessian(self._held, self._rest, batch)
            if n == self.num_examples:
                self._whole = product
            yield n, product

    def _scalar(self, values: Sequence[Any], batch: Any) -> np.ndarray:
        return _array(self._derivatives.loss(values, self._rest, batch))

    def _slope(self, values: Sequence[Any], batch: Any) -> np.ndarray:
        loss, gradients = self._derivatives.gradient(values, self._rest, batch)
        return np.append(_array(loss), self._flat(gradients))

    def _values(self, at: np.ndarray | None) -> Sequence[Any]:
        return self._held if at is None else self._tensors(at)

    def _tensors(self, vector: np.ndarray) -> list[Any]:
        ends = np.cumsum([int(np.prod(v.shape)) for v in self.variables])
        parts = zip(np.split(vector, ends[:-1]), self.variables, strict=True)
        return [
            keras.ops.convert_to_tensor(part.reshape(v.shape), dtype=v.dtype) for part, v in parts
        ]

    def _flat(self, tensors: Sequence[Any]) -> np.ndarray:
        return np.concatenate([_array(tensor).reshape(-1) for tensor in tensors])

    def _batches(self, where: slice | None) -> Iterator[tuple[int, Any]]:
        begin, end, _ = (where or slice(None)).indices(self.num_examples)
        for first in range(begin, end, self.batch_size):
            last = min(first + self.batch_size, end)
            yield last - first, self._batch(slice(first, last))

    def _batch(self, rows: slice) -> Any:
        def cut(array: Any) -> Any:
            if array is None:
                return None
            part = array[rows]
            real = np.issubdtype(np.asarray(part[:0]).dtype, np.floating)
            return keras.ops.convert_to_tensor(part, dtype=keras.config.floatx() if real else None)

        return keras.tree.map_structure(cut, self._data)


def _epsilon(dtype: str) -> float:
    # On JAX and torch, Keras' own operations compute in float32 at most.
    return _EPSILON.get(keras.backend.result_type(dtype, "bool"), 0.0)


def _check_model(model: Any) -> None:
    keras_internals.check_model(model)
    if not model.compiled:
        raise ValueError(
            "The model is not compiled, so that it has no loss. Call model.compile(optimizer, "
            "loss=...) first."
        )


def _check_layers(model: Any) -> None:
    if not model.trainable_variables:
        raise ValueError("The model has no trainable variables: there is nothing to derive by.")
    for layer in keras_internals.leaf_layers(model):
        # It computes with its module's own parameters, whatever values its variables are given.
        if isinstance(layer, keras.layers.TorchModuleWrapper):
            raise NotImplementedError(
                f"The layer {layer.name!r} wraps a torch module, whose parameters Keras cannot give "
                "other values: its part of the Hessian would be 0. Write it with Keras' layers."
            )


def _mean(parts: Iterator[tuple[int, np.ndarray]]) -> np.ndarray:
    total, number = np.zeros(()), 0
    for size, part in parts:
        total, number = total + size * part, number + size
    return np.asarray(total / number)


def _array(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)
