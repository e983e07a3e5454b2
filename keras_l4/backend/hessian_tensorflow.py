"""TensorFlow: derivatives of a loss; reverse over reverse."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from keras_l4.backend.pure_loss import Batch, Derivatives, Loss


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
        with tf.GradientTape() as tape, _twice_differentiable_moments():
            tape.watch(values)
            _, slopes = gradient(values, rest, batch)
            pairs = zip(slopes, tangents, strict=True)
            along = tf.add_n([tf.reduce_sum(slope * tangent) for slope, tangent in pairs])
        return _gradients(tape, along, values)

    # Keras' layers bring their own control flow.
    compiled = [tf.function(f, autograph=False) for f in (loss, gradient, product)]
    return Derivatives(*compiled)


def _gradients(tape: tf.GradientTape, of: Any, values: Sequence[Any]) -> list[Any]:
    found = tape.gradient(of, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # Those of embeddings are sparse.
    return [tf.convert_to_tensor(x) for x in found]


@contextlib.contextmanager
def _twice_differentiable_moments() -> Iterator[None]:
    """Mean and variance, of which LayerNormalization is made.

    TensorFlow's take the mean for a constant in the variance. The first derivative by it is 0 all
    the same, but the second is not: the Hessian would be wrong, and nothing would say so.
    """
    stock = tf.nn.moments

    def moments(
        x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None
    ) -> Any:
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
        return mean if keepdims else tf.squeeze(mean, axes), variance

    tf.nn.moments = moments
    try:
        yield
    finally:
        tf.nn.moments = stock
