"""TensorFlow: operations whose second derivative it has not, or has wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

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
