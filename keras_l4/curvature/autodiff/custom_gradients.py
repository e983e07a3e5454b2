"""Functions that bring a gradient of their own, which may not be differentiable itself.

Where such a gradient is computed outside of what the framework follows, it counts as a constant: a
part of the Hessian is missing, and nothing says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_l4.curvature.autodiff.framework import derivatives, visit_own_gradients
from keras_l4.keras_internals.layer_calls import around_layers, layer_path

# In magnitudes of an argument: how far it is moved away from what may be a kink, and the two steps
# of the differences. Across a kink these would differ, as the steps do.
_AWAY, _WIDE, _NARROW = 0.05, 1e-3, 2.5e-4


# Part of a gradient that is ten times what rounding to float32 makes of the differences.
_NOTICEABLE = 5e-3
_PRECISE = ("float32", "float64")
_NOTHING = (None, None, None)


def check_own_gradients(run: Callable[[], Any]) -> None:
    """Compares second derivatives with differences of gradients, function by function.

    Only functions with a gradient of their own are looked at (`torch.autograd.Function`,
    `jax.custom_vjp`, `tf.custom_gradient`, `keras.ops.custom_gradient`), near the arguments that
    they get. Not seen are those in loops that the framework compiles, as that over the time steps
    of a recurrent layer on TensorFlow and JAX, and those in half precision.

    Args:
        run: Computes the loss, not compiled.

    Raises:
        NotImplementedError: They differ; the layer is named.
    """
    inside: list[Any] = []
    checked: list[Callable[..., Any]] = []
    wrong: list[str] = []

    @contextlib.contextmanager
    def entered(layer: Any) -> Iterator[None]:
        inside.append(layer)
        try:
            yield
        finally:
            inside.pop()

    def see(function: Callable[..., Any], args: Sequence[Any]) -> None:
        if checked:
            return  # Called within the one that is being checked.
        checked.append(function)
        if _is_wrong(function, args):
            wrong.append(described(inside[-1]) if inside else "The loss function")
        checked.clear()

    with around_layers(entered):
        visit_own_gradients(run, see)
    # Keras would put what is raised inside of a layer into words of its own.
    if wrong:
        raise NotImplementedError(
            f"{wrong[0]} has no second derivative that is right: it brings a gradient of its own, and "
            "what the framework makes of that is not how the gradient changes. Write it in operations "
            "of the framework on tensors that it follows (torch: context.save_for_backward), or leave "
            "the gradient to the framework."
        )


def described(layer: Any) -> str:
    """A layer, as errors name it."""
    return f"The layer {layer_path(layer)!r} ({type(layer).__name__})"


def _is_wrong(function: Callable[..., Any], args: Sequence[Any]) -> bool:
    try:
        return _Scalar(function, list(args)).has_wrong_curvature()
    except Exception:  # What raises here raises in the product, too, where that is explained.
        return False


class _Scalar:
    """A random curved combination of what a function returns, of those arguments that are real.

    Curved, since a gradient has to follow what comes from above, too.
    """

    def __init__(self, function: Callable[..., Any], args: list[Any]) -> None:
        self._function, self._args = function, args
        self._flat = keras.tree.flatten(args)
        self._places = [i for i, x in enumerate(self._flat) if _is_real(x)]
        self._dtypes = [keras.backend.standardize_dtype(self._flat[i].dtype) for i in self._places]
        self._rng = np.random.default_rng(0)
        self._held = [_array(self._flat[i]) for i in self._places]
        self._at = self._moved(_AWAY, self._random())
        outputs = self._outputs(self._tensors(self._at))
        self._weights = [self._rng.normal(size=tuple(y.shape)) for y in outputs]
        self._sizes = [_magnitude(_array(y)) for y in outputs]
        self._derivatives = derivatives(self._loss)

    def has_wrong_curvature(self) -> bool:
        """Whether its second derivative is not how its gradient changes."""
        if not self._held or not set(self._dtypes) <= set(_PRECISE):
            return False
        self._held, along = self._at, self._random()
        tangents = self._tensors(along)
        exact = _vector(self._derivatives.hessian(self._tensors(self._at), [], _NOTHING)(tangents))
        wide, narrow = (self._difference(along, step) for step in (_WIDE, _NARROW))
        gradients = self._gradient(self._at)
        least = _NOTICEABLE * np.repeat(
            [_magnitude(g) for g in gradients], [g.size for g in gradients]
        )
        return _disagree(exact, wide, narrow, least)

    def _difference(self, along: Sequence[np.ndarray], step: float) -> np.ndarray:
        ahead, behind = (self._gradient(self._moved(s, along)) for s in (step, -step))
        return (_vector(ahead) - _vector(behind)) / (2 * step)

    def _gradient(self, at: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [_array(g) for g in self._derivatives.gradient(self._tensors(at), [], _NOTHING)[1]]

    def _random(self) -> list[np.ndarray]:
        """Of the magnitudes of the arguments."""
        return [_magnitude(x) * self._rng.normal(size=x.shape) for x in self._held]

    def _moved(self, by: float, along: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [x + by * d for x, d in zip(self._held, along, strict=True)]

    def _tensors(self, arrays: Sequence[np.ndarray]) -> list[Any]:
        pairs = zip(arrays, self._dtypes, strict=True)
        return [keras.ops.convert_to_tensor(x, dtype=dtype) for x, dtype in pairs]

    def _outputs(self, values: Sequence[Any]) -> list[Any]:
        given = list(self._flat)
        for place, value in zip(self._places, values, strict=True):
            given[place] = value
        outputs = self._function(*keras.tree.pack_sequence_as(self._args, given))
        return [y for y in keras.tree.flatten(outputs) if _is_real(y)]

    def _loss(self, values: Sequence[Any], rest: Sequence[Any], batch: Any) -> Any:
        parts = zip(self._outputs(values), self._weights, self._sizes, strict=True)
        return sum(
            keras.ops.sum((y + y * y / size) * keras.ops.convert_to_tensor(w, y.dtype))
            for y, w, size in parts
        )


def _disagree(exact: np.ndarray, wide: np.ndarray, narrow: np.ndarray, least: np.ndarray) -> bool:
    """Whether what two differences agree upon is not the derivative, in more than a few places."""
    size = np.maximum(np.abs(exact), np.abs(narrow))
    agreed = np.abs(wide - narrow) <= 0.03 * size + least
    wrong = agreed & (np.abs(exact - narrow) > 0.1 * size + 3 * least)
    return bool(wrong.sum() > max(1, (size > least).sum()) / 4)


def _magnitude(x: np.ndarray) -> float:
    return float(np.sqrt(np.square(x).mean())) or 1.0


def _is_real(x: Any) -> bool:
    return keras.ops.is_tensor(x) and keras.backend.is_float_dtype(x.dtype)


def _array(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def _vector(tensors: Sequence[Any]) -> np.ndarray:
    return np.concatenate([_array(tensor).reshape(-1) for tensor in tensors])
