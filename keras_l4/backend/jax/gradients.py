"""JAX: arrays do not change, and branches and reductions are XLA's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras

from keras_l4.backend.jax.core import flatten_unless_split
from keras_l4.backend.jax.distribution import splits_variables
from keras_l4.backend.jax.reductions import INTEGERS


def dense_gradient(gradient: Any, xla: bool) -> Any:
    """The gradient."""
    return flatten_unless_split(_aside(apart(gradient)))


def _aside(x: Any) -> Any:
    """The same numbers, for the measurements alone.

    Derivatives of `einsum` by a kernel of rank three or more end with a transpose. XLA moves it
    through the elementwise operations of the update as long as nothing else takes it, and rounds
    differently where it may not. So what we take is elementwise, too: the bits; and a barrier hides
    what becomes of them.
    """
    if x.ndim < 3 or splits_variables():
        return x
    bits = jax.lax.bitcast_convert_type(x, INTEGERS[x.dtype.itemsize])
    return jax.lax.bitcast_convert_type(jax.lax.optimization_barrier(bits), x.dtype)


def is_sparse(gradient: Any) -> bool:
    return False


def apart(gradient: Any) -> Any:
    """The gradient, for measurements to read.

    Of a batch that is split over devices it comes out of XLA transposed. XLA moves the transpose
    through the update, unless somebody else reads it, and then the update is rounded differently:
    read something else that has the same elements.
    """
    if keras.distribution.distribution() is None:
        return gradient
    kind = jnp.finfo(gradient.dtype)
    return jax.lax.reduce_precision(gradient, kind.nexp, kind.nmant)
