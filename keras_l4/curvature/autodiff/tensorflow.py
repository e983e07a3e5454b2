"""TensorFlow: derivatives of a loss; reverse over reverse."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import custom_gradient

from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Loss, Product, See


def derivatives(loss: Loss) -> Derivatives:
    """The loss, its gradient and the product of its Hessian with a vector."""

    def gradient(values: Sequence[Any], rest: Sequence[Any], batch: Batch) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            at = loss(values, rest, batch)
        return at, _gradients(tape, at, values)

    def product(
        values: Sequence[Any], rest: Sequence[Any], batch: Batch, tangents: Sequence[Any]
    ) -> list[Any]:
        with tf.GradientTape() as tape, twice_differentiable():
            tape.watch(values)
            _, slopes = gradient(values, rest, batch)
            pairs = zip(slopes, tangents, strict=True)
            along = tf.add_n([tf.reduce_sum(slope * tangent) for slope, tangent in pairs])
        if not tf.executing_eagerly():  # As `run_functions_eagerly` has it.
            check_followed(along.graph)
        return _gradients(tape, along, values)

    # Keras' layers bring their own control flow.
    value, slopes, compiled = (tf.function(f, autograph=False) for f in (loss, gradient, product))

    def hessian(values: Sequence[Any], rest: Sequence[Any], batch: Batch) -> Product:
        return functools.partial(compiled, values, rest, batch)

    return Derivatives(value, slopes, hessian)


def _gradients(tape: tf.GradientTape, of: Any, values: Sequence[Any]) -> list[Any]:
    found = tape.gradient(of, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # Those of embeddings are sparse.
    return [tf.convert_to_tensor(x) for x in found]


def visit_own_gradients(run: Callable[[], Any], see: See) -> None:
    """Calls `see` with every function with a gradient of its own that `run` calls, and its arguments."""
    # Functions are decorated where they are defined; this is what they call then.
    stock = custom_gradient._eager_mode_decorator

    def seen(function: Any, args: Any, kwargs: Any) -> Any:
        see(functools.partial(tf.custom_gradient(function), **kwargs), args)
        return stock(function, args, kwargs)

    custom_gradient._eager_mode_decorator = seen
    try:
        run()
    finally:
        custom_gradient._eager_mode_decorator = stock


# Gradients of which TensorFlow takes the derivative for zero, as if they were constant.
_TAKEN_FOR_CONSTANT = {
    "FakeQuantWithMinMaxArgsGradient",
    "FakeQuantWithMinMaxVarsGradient",
    "FakeQuantWithMinMaxVarsPerChannelGradient",
    "ResizeBilinearGrad",
}


@contextlib.contextmanager
def twice_differentiable() -> Iterator[None]:
    """Inside, mean, variance and resizing are made of what has both derivatives."""
    moments, resize = tf.nn.moments, tf.image.resize
    tf.nn.moments, tf.image.resize = _moments, _linear(resize)
    try:
        yield
    finally:
        tf.nn.moments, tf.image.resize = moments, resize


def check_followed(graph: Any) -> None:
    """Nothing in a graph of gradients is taken for a constant that is none.

    Raises:
        LookupError: Something is.
    """
    for operation in graph.get_operations():
        if operation.type in _TAKEN_FOR_CONSTANT:
            raise LookupError(f"TensorFlow takes the derivative of {operation.type} for zero")


def _moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None
) -> tuple[Any, Any]:
    """Mean and variance, of which LayerNormalization is made.

    TensorFlow's take the mean for a constant in the variance. The first derivative by it is 0 all
    the same, but the second is not.
    """
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
    return mean if keepdims else tf.squeeze(mean, axes), variance


def _linear(resize: Any) -> Any:
    """Resizing as two products with matrices, which are what it makes of unit vectors."""

    def resized(images: Any, size: Any, *args: Any, **kwargs: Any) -> Any:
        whole = resize(images, size, *args, **kwargs)

        def matrix(axis: int) -> Any:
            units = tf.eye(tf.shape(images)[axis], dtype=tf.float32)[:, :, None, None]
            new_size = tf.stack([tf.shape(whole)[axis], 1])
            return tf.cast(resize(units, new_size, **kept)[:, :, 0, 0], whole.dtype)

        kept = _without_aspect_ratio(*args, **kwargs)
        rows, columns = matrix(-3), matrix(-2)
        exact = tf.einsum("...hwc,hi,wj->...ijc", tf.cast(images, whole.dtype), rows, columns)
        return tf.ensure_shape(exact, whole.shape)

    return resized


def _without_aspect_ratio(
    method: Any = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: Any = None,
) -> dict[str, Any]:
    """The size that is resized to is that of the whole result."""
    return {"method": method, "antialias": antialias}
