"""Checks functions with a custom gradient, whose second derivative may be wrong.

A custom gradient that is computed outside of what the framework tracks counts as a constant when it
is differentiated. Part of the Hessian is then missing, and no error is raised.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4.curvature.autodiff.framework import derivatives, visit_custom_gradients
from keras_l4.curvature.autodiff.loss import Tensor, is_float_tensor
from keras_l4.keras_internals import layer_path, scope_layer_calls

_Function: TypeAlias = Callable[..., Any]

# In multiples of the magnitude of an argument. The comparison is made at a random offset from the
# arguments, since they may lie exactly at a kink, such as the zeros that a ReLU passes on. It takes
# differences with two steps: if a kink lies within a step, the two disagree.
_OFFSET, _LARGE_STEP, _SMALL_STEP = 0.05, 1e-3, 2.5e-4
# In multiples of a gradient's magnitude: ten times the error that rounding to float32 causes in a
# difference of gradients.
_TOLERANCE = 5e-3
_CHECKED_DTYPES = {"float32", "float64"}
_NO_BATCH = (None, None, None)


def check_custom_gradients(compute_loss: Callable[[], Any]) -> None:
    """Compares second derivatives of functions with a custom gradient with differences of gradients.

    Such functions are those of `torch.autograd.Function`, `jax.custom_vjp`, `tf.custom_gradient` and
    `keras.ops.custom_gradient`. Each is checked close to the arguments of its call. Not checked are
    functions in half precision, and functions in a loop that the framework compiles, such as the
    time steps of a recurrent layer on TensorFlow and JAX.

    Args:
        compute_loss: Computes the loss, without compilation.

    Raises:
        NotImplementedError: A second derivative is wrong; the layer is named.
    """
    active_layers: list[Any] = []
    is_checking = False
    culprits: list[str] = []

    @contextlib.contextmanager
    def layer_scope(layer: Any) -> Iterator[None]:
        active_layers.append(layer)
        try:
            yield
        finally:
            active_layers.pop()

    def check(function: _Function, args: Sequence[Any]) -> None:
        nonlocal is_checking
        if is_checking:
            return  # This function is called by the one that is being checked.
        is_checking = True
        if has_wrong_second_derivative(function, args):
            layer = active_layers[-1] if active_layers else None
            culprits.append("The loss function" if layer is None else layer_description(layer))
        is_checking = False

    with scope_layer_calls(layer_scope):
        visit_custom_gradients(compute_loss, check)
    # Raised here, not in `check`: Keras rewrites the message of an error that is raised in a layer.
    if culprits:
        raise NotImplementedError(
            f"{culprits[0]} has a wrong second derivative: it has a custom gradient, and what the "
            "framework computes as its derivative is not how that gradient changes. Compute the "
            "gradient with operations of the framework on tensors that it tracks (torch: "
            "context.save_for_backward), or remove the custom gradient."
        )


def layer_description(layer: Any) -> str:
    """Returns the path and the class of a layer, for error messages."""
    return f"The layer {layer_path(layer)!r} ({type(layer).__name__})"


def has_wrong_second_derivative(function: _Function, args: Sequence[Any]) -> bool:
    """Returns True if the second derivative disagrees with differences of the gradient."""
    try:
        return _RandomScalarFunction(function, list(args)).has_wrong_second_derivative()
    # A function that raises here raises in the Hessian-vector product, too, which explains why.
    except Exception:
        return False


class _RandomScalarFunction:
    """A random scalar function of the outputs of a function, of its floating-point arguments.

    It is quadratic in the outputs, not linear: a custom gradient has to depend correctly on the
    upstream gradient, too, which would be a constant otherwise.

    Args:
        function: The function with a custom gradient.
        args: The arguments of its call.
    """

    def __init__(self, function: _Function, args: list[Any]) -> None:
        self._function, self._args = function, args
        self._leaves = keras.tree.flatten(args)
        self._positions = [i for i, x in enumerate(self._leaves) if is_float_tensor(x)]
        arguments = [self._leaves[i] for i in self._positions]
        self._dtypes = [keras.backend.standardize_dtype(x.dtype) for x in arguments]
        self._rng = np.random.default_rng(0)
        values = [_to_numpy(x) for x in arguments]
        self._magnitudes = [_rms(x) for x in values]
        self._shapes = [x.shape for x in values]
        self._point = _moved(values, _OFFSET, self._random_direction())
        outputs = self._outputs(self._tensors(self._point))
        self._weights = [self._rng.normal(size=tuple(y.shape)) for y in outputs]
        self._scales = [_rms(_to_numpy(y)) for y in outputs]
        self._derivatives = derivatives(self._scalar)

    def has_wrong_second_derivative(self) -> bool:
        """Compares the second derivative along a random direction with differences of gradients."""
        if not self._positions or not set(self._dtypes) <= _CHECKED_DTYPES:
            return False
        direction = self._random_direction()
        product = self._derivatives.hessian(self._tensors(self._point), [], _NO_BATCH)
        exact = _concatenate(product(self._tensors(direction)))
        large, small = (self._difference(direction, step) for step in (_LARGE_STEP, _SMALL_STEP))
        gradients = self._gradient(self._point)
        sizes = [g.size for g in gradients]
        tolerance = _TOLERANCE * np.repeat([_rms(g) for g in gradients], sizes)
        return _disagree(exact, large, small, tolerance)

    def _difference(self, direction: Sequence[np.ndarray], step: float) -> np.ndarray:
        ahead, behind = (
            self._gradient(_moved(self._point, signed, direction)) for signed in (step, -step)
        )
        return (_concatenate(ahead) - _concatenate(behind)) / (2 * step)

    def _gradient(self, point: Sequence[np.ndarray]) -> list[np.ndarray]:
        _, gradients = self._derivatives.gradient(self._tensors(point), [], _NO_BATCH)
        return [_to_numpy(g) for g in gradients]

    def _random_direction(self) -> list[np.ndarray]:
        """Returns a normal direction, scaled to the magnitude of each argument."""
        pairs = zip(self._magnitudes, self._shapes, strict=True)
        return [magnitude * self._rng.normal(size=shape) for magnitude, shape in pairs]

    def _tensors(self, arrays: Sequence[np.ndarray]) -> list[Tensor]:
        pairs = zip(arrays, self._dtypes, strict=True)
        return [keras.ops.convert_to_tensor(x, dtype=dtype) for x, dtype in pairs]

    def _outputs(self, values: Sequence[Tensor]) -> list[Tensor]:
        leaves = list(self._leaves)
        for position, value in zip(self._positions, values, strict=True):
            leaves[position] = value
        outputs = self._function(*keras.tree.pack_sequence_as(self._args, leaves))
        return [y for y in keras.tree.flatten(outputs) if is_float_tensor(y)]

    def _scalar(self, values: Sequence[Tensor], non_trainable: Any, batch: Any) -> Tensor:
        triples = zip(self._outputs(values), self._weights, self._scales, strict=True)
        return sum(
            keras.ops.sum((y + y * y / scale) * keras.ops.convert_to_tensor(weight, y.dtype))
            for y, weight, scale in triples
        )


def _disagree(
    exact: np.ndarray, large: np.ndarray, small: np.ndarray, tolerance: np.ndarray
) -> bool:
    """Returns True if two differences agree with each other, but not with the derivative.

    A kink may make a few elements disagree; a quarter of the significant ones is required.
    """
    size = np.maximum(np.abs(exact), np.abs(small))
    is_smooth = np.abs(large - small) <= 0.03 * size + tolerance
    is_wrong = is_smooth & (np.abs(exact - small) > 0.1 * size + 3 * tolerance)
    return bool(is_wrong.sum() > max(1, (size > tolerance).sum()) / 4)


def _moved(
    point: Sequence[np.ndarray], step: float, direction: Sequence[np.ndarray]
) -> list[np.ndarray]:
    return [x + step * d for x, d in zip(point, direction, strict=True)]


def _rms(x: np.ndarray) -> float:
    """Returns the root mean square of an array, or 1 if it is all zeros."""
    return float(np.sqrt(np.square(x).mean())) or 1.0


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def _concatenate(tensors: Sequence[Tensor]) -> np.ndarray:
    return np.concatenate([_to_numpy(tensor).reshape(-1) for tensor in tensors])
