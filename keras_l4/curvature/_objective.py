"""Objective: the loss of a model over all of its data, as a function of one flat weight vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.curvature.sample import check_sample, count_examples

Tensor: TypeAlias = Any
_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}


class Objective:
    """The loss at the model's weights, its gradient, and products with its Hessian.

    The loss is the mean over batches, weighted by their numbers of examples. For Keras' losses,
    which are means over examples, that is the loss of all data at once. Weights are one float64
    vector, `[size]`. The model computes in its own dtype; sums over batches are in float64.

    Args:
        model: A compiled model. Its variables are not changed.
        x: Inputs: an array, or a structure of arrays. An `np.memmap` is read batch by batch.
        y: Targets: an array, or a structure of arrays; None if the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        batch_size: Number of examples that are computed at once. The result does not depend on it.

    Raises:
        TypeError: The data are not arrays.
        ValueError: The model is not compiled or has no trainable variables, or the arrays have
            different lengths.
        NotImplementedError: A layer wraps a torch module.
    """

    def __init__(
        self, model: Any, x: Any, y: Any = None, sample_weight: Any = None, *, batch_size: int
    ) -> None:
        # Imported here: it loads what second derivatives need of a framework, and callbacks, which
        # import this module, have to work if that fails.
        from keras_l4.curvature import autodiff

        _check_is_compiled(model)
        check_sample(x, y, sample_weight)
        self._data = (x, y, sample_weight)
        self.num_examples = count_examples(self._data)
        self.batch_size = min(batch_size, self.num_examples)
        keras_internals.build_model(model, self._batch(slice(0, self.batch_size)))
        _check_layers(model)
        self.variables: Sequence[Any] = model.trainable_variables
        trainable, self._non_trainable = keras_internals.variable_values(model)
        self._trainable = list(map(keras.ops.convert_to_tensor, trainable))
        self._derivatives = autodiff.model_derivatives(model)
        self._single_batch_product: Any = None
        self.weights = _flatten(self._trainable)
        self.size = self.weights.size
        dtypes = [layer.compute_dtype for layer in keras_internals.leaf_layers(model)]
        self.epsilon = max(map(_epsilon, [*dtypes, *(v.dtype for v in self.variables)]))

    def loss(self, weights: np.ndarray | None = None, rows: slice | None = None) -> float:
        """Returns the loss at these weights (None: the model's), over these examples (None: all)."""
        values = self._values(weights)
        return float(
            _mean((n, self._batch_loss(values, batch)) for n, batch in self._batches(rows))
        )

    def gradient(
        self, weights: np.ndarray | None = None, rows: slice | None = None
    ) -> tuple[float, np.ndarray]:
        """Returns the loss and its gradient, `float64[size]`; see `loss` for the arguments."""
        values = self._values(weights)
        means = _mean((n, self._batch_gradient(values, batch)) for n, batch in self._batches(rows))
        return float(means[0]), means[1:]

    def product(self, vector: np.ndarray) -> np.ndarray:
        """Returns the Hessian at the model's weights times `vector`, `float64[size]`."""
        tangents = self._unflatten(vector)
        return _mean((n, _flatten(product(tangents))) for n, product in self._batch_products())

    def shaped_weights(self) -> list[np.ndarray]:
        """Returns the weights in the shapes of the variables, float64."""
        return list(map(_to_numpy, self._trainable))

    def _batch_products(self) -> Iterator[tuple[int, Any]]:
        """Yields the number of examples and the Hessian of each batch.

        The Hessian of a single batch is stored: on torch, all products then share one graph.
        """
        if self._single_batch_product is not None:
            yield self.num_examples, self._single_batch_product
            return
        for n, batch in self._batches(None):
            product = self._derivatives.hessian(self._trainable, self._non_trainable, batch)
            if n == self.num_examples:
                self._single_batch_product = product
            yield n, product

    def _batch_loss(self, values: Sequence[Tensor], batch: Any) -> np.ndarray:
        return _to_numpy(self._derivatives.loss(values, self._non_trainable, batch))

    def _batch_gradient(self, values: Sequence[Tensor], batch: Any) -> np.ndarray:
        """Returns the loss, followed by the gradient."""
        loss, gradients = self._derivatives.gradient(values, self._non_trainable, batch)
        return np.append(_to_numpy(loss), _flatten(gradients))

    def _values(self, weights: np.ndarray | None) -> Sequence[Tensor]:
        return self._trainable if weights is None else self._unflatten(weights)

    def _unflatten(self, vector: np.ndarray) -> list[Tensor]:
        ends = np.cumsum([int(np.prod(v.shape)) for v in self.variables])
        pairs = zip(np.split(vector, ends[:-1]), self.variables, strict=True)
        return [
            keras.ops.convert_to_tensor(part.reshape(v.shape), dtype=v.dtype) for part, v in pairs
        ]

    def _batches(self, rows: slice | None) -> Iterator[tuple[int, Any]]:
        begin, end, _ = (rows or slice(None)).indices(self.num_examples)
        for first in range(begin, end, self.batch_size):
            last = min(first + self.batch_size, end)
            yield last - first, self._batch(slice(first, last))

    def _batch(self, rows: slice) -> Any:
        def select(array: Any) -> Any:
            if array is None:
                return None
            part = array[rows]
            # As in `fit`, floating-point data get Keras' default dtype, and others keep theirs.
            is_float = np.issubdtype(np.asarray(part[:0]).dtype, np.floating)
            dtype = keras.config.floatx() if is_float else None
            return keras.ops.convert_to_tensor(part, dtype=dtype)

        return keras.tree.map_structure(select, self._data)


def _epsilon(dtype: str) -> float:
    # `result_type`: on JAX and torch, Keras' own operations compute in float32 at most.
    return _EPSILON.get(keras.backend.result_type(dtype, "bool"), 0.0)


def _check_is_compiled(model: Any) -> None:
    keras_internals.check_model(model)
    if not model.compiled:
        raise ValueError(
            "The model is not compiled, so that it has no loss. Call model.compile(optimizer, "
            "loss=...) first."
        )


def _check_layers(model: Any) -> None:
    if not model.trainable_variables:
        raise ValueError(
            "The model has no trainable variables, so that its loss has no derivatives. Set "
            "trainable=True on a layer with weights."
        )
    for layer in keras_internals.leaf_layers(model):
        # It computes with the parameters of its module. The values that a stateless scope gives to
        # its variables have no effect.
        if isinstance(layer, keras.layers.TorchModuleWrapper):
            raise NotImplementedError(
                f"The layer {layer.name!r} wraps a torch module. Keras cannot call it with other "
                "parameters than its own, so that its part of the Hessian would be 0. Replace it by "
                "Keras layers."
            )


def _mean(parts: Iterator[tuple[int, np.ndarray]]) -> np.ndarray:
    """Returns the mean of arrays, weighted by numbers of examples."""
    total, num_examples = np.zeros(()), 0
    for size, part in parts:
        total, num_examples = total + size * part, num_examples + size
    return np.asarray(total / num_examples)


def _flatten(tensors: Sequence[Tensor]) -> np.ndarray:
    return np.concatenate([_to_numpy(tensor).reshape(-1) for tensor in tensors])


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)
