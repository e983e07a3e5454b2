"""TensorFlow: derivatives of a loss; reverse over reverse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import custom_gradient

from keras_l4.backend.pure_loss import Batch, Derivatives, Loss, Product, See
from keras_l4.backend.twice_differentiable_tensorflow import check_followed, twice_differentiable


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
