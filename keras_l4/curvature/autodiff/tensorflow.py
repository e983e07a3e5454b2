"""TensorFlow: derivatives of a loss. Hessian-vector products are reverse-over-reverse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Loss, Tensor, VectorProduct
from keras_l4.keras_internals.custom_gradients import (
    OnCall,
    observe_tensorflow_custom_gradient,
    replace_tensorflow_operations,
)

# Operations that compute a gradient, and whose own gradient TensorFlow takes to be zero.
_WRONGLY_CONSTANT = {
    "FakeQuantWithMinMaxArgsGradient",
    "FakeQuantWithMinMaxVarsGradient",
    "FakeQuantWithMinMaxVarsPerChannelGradient",
    "ResizeBilinearGrad",
}


def derivatives(loss: Loss) -> Derivatives:
    """Returns the loss, its gradient and its Hessian-vector product, as `tf.function`s."""

    def gradient(values: Sequence[Tensor], non_trainable: Sequence[Tensor], batch: Batch) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            total = loss(values, non_trainable, batch)
        return total, _gradients(tape, total, values)

    def multiply(
        values: Sequence[Tensor],
        non_trainable: Sequence[Tensor],
        batch: Batch,
        tangents: Sequence[Tensor],
    ) -> list[Tensor]:
        with tf.GradientTape() as tape, twice_differentiable_operations():
            tape.watch(values)
            _, gradients = gradient(values, non_trainable, batch)
            pairs = zip(gradients, tangents, strict=True)
            directional = tf.add_n([tf.reduce_sum(g * tangent) for g, tangent in pairs])
        if not tf.executing_eagerly():  # True after `tf.config.run_functions_eagerly`.
            check_operations(directional.graph)
        return _gradients(tape, directional, values)

    # No AutoGraph: Keras' layers need no conversion of Python control flow.
    compiled_loss, compiled_gradient, compiled_multiply = (
        tf.function(f, autograph=False) for f in (loss, gradient, multiply)
    )

    def hessian(
        values: Sequence[Tensor], non_trainable: Sequence[Tensor], batch: Batch
    ) -> VectorProduct:
        return functools.partial(compiled_multiply, values, non_trainable, batch)

    return Derivatives(compiled_loss, compiled_gradient, hessian)


def _gradients(tape: tf.GradientTape, total: Tensor, values: Sequence[Tensor]) -> list[Tensor]:
    unconnected = tf.UnconnectedGradients.ZERO
    gradients = tape.gradient(total, values, unconnected_gradients=unconnected)
    # The gradient of an embedding is a `tf.IndexedSlices`.
    return [tf.convert_to_tensor(x) for x in gradients]


def visit_custom_gradients(run: Callable[[], Any], on_call: OnCall) -> None:
    """Calls `on_call` with each function with a custom gradient that `run` calls, and its arguments."""
    with observe_tensorflow_custom_gradient(on_call):
        run()


def twice_differentiable_operations() -> AbstractContextManager[None]:
    """Computes moments and resizing with operations that have a second derivative."""
    return replace_tensorflow_operations(_moments, _resize_by_matrices(tf.image.resize))


def check_operations(graph: Any) -> None:
    """Checks that a graph with gradients has no operation with a gradient that is wrongly zero.

    Raises:
        LookupError: It has one, as TensorFlow raises for an operation without a gradient.
    """
    for operation in graph.get_operations():
        if operation.type in _WRONGLY_CONSTANT:
            raise LookupError(f"TensorFlow takes the derivative of {operation.type} for zero")


def _moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None
) -> tuple[Tensor, Tensor]:
    """Replaces `tf.nn.moments`, which LayerNormalization calls.

    TensorFlow computes the variance with a mean that it treats as a constant. The first derivative
    of the variance by the mean is 0 anyway, but the second one is not.
    """
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
    return mean if keepdims else tf.squeeze(mean, axes), variance


def _resize_by_matrices(resize: Any) -> Any:
    """Replaces `tf.image.resize` by two matrix products, since resizing is linear and separable.

    The columns of the matrices are resized unit vectors.
    """

    def matrix_resize(images: Any, size: Any, *args: Any, **kwargs: Any) -> Tensor:
        stock_result = resize(images, size, *args, **kwargs)
        options = _method_options(*args, **kwargs)

        def matrix(axis: int) -> Tensor:
            units = tf.eye(tf.shape(images)[axis], dtype=tf.float32)[:, :, None, None]
            new_size = tf.stack([tf.shape(stock_result)[axis], 1])
            resized_units = resize(units, new_size, **options)[:, :, 0, 0]
            return tf.cast(resized_units, stock_result.dtype)

        rows, columns = matrix(-3), matrix(-2)
        images = tf.cast(images, stock_result.dtype)
        result = tf.einsum("...hwc,hi,wj->...ijc", images, rows, columns)
        return tf.ensure_shape(result, stock_result.shape)

    return matrix_resize


def _method_options(
    method: Any = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: Any = None,
) -> dict[str, Any]:
    """Returns the arguments of `tf.image.resize` that matter for a single axis.

    The aspect ratio does not: the size of the stock result takes it into account.
    """
    return {"method": method, "antialias": antialias}
