"""Gradients on JAX: always dense."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras

from keras_l4.backend.interface import Tensor
from keras_l4.backend.jax.arrays import flatten_unless_split, splits_variables, to_bits


def dense_gradient(gradient: Tensor, xla: bool) -> Tensor:
    return flatten_unless_split(_isolate_gradient(gradient))


def is_sparse(gradient: Tensor) -> bool:
    return False


def _isolate_gradient(gradient: Tensor) -> Tensor:
    """Returns the same numbers, computed so that the update is rounded as without this reader.

    XLA moves a transpose at the end of a derivative through the elementwise operations of the update,
    unless something else reads it, and then rounds the update differently. An elementwise operation
    on the gradient does not count as such a reader. There are two cases of such transposes.
    """
    if keras.distribution.distribution() is not None:
        # The gradient of a batch that is split over devices.
        dtype = jnp.finfo(gradient.dtype)
        gradient = jax.lax.reduce_precision(gradient, dtype.nexp, dtype.nmant)
    if gradient.ndim < 3 or splits_variables():
        return gradient
    # The gradient of a kernel of rank three or more in an `einsum`. The barrier hides from XLA that
    # the bits become the same floats again.
    bits = jax.lax.optimization_barrier(to_bits(gradient))
    return jax.lax.bitcast_convert_type(bits, gradient.dtype)
