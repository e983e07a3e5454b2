"""JAX on the CPU: the weights from before an update, kept from step to step.

Arrays do not change, so that to hold one across its update costs a copy of it: XLA makes it at every
step, whether a branch reads it or not. Written in a branch of its own, it costs as much as is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras

from keras_l4.backend.jax.core import cond
from keras_l4.backend.jax.distribution import splits_variables
from keras_l4.backend.jax.reductions import INTEGERS
from keras_l4.backend.jax.ring_buffer import Ring, new_ring

_CLOCKS = ("bfloat16", "float16", "float32", "float64", "int32", "int64")


@dataclass(frozen=True)
class WeightBuffer:
    """Room for the values of variables.

    Attributes:
        rings: One like each of the variables.
        clocks: The numbers that the optimizer's update depends on: its rate, its iterations.
    """

    rings: list[Ring]
    clocks: list[keras.Variable]

    def take(self, wanted: Any, variables: Sequence[keras.Variable]) -> Callable[[], list[Any]]:
        """Gives the variables as they are now where `wanted`; as they were at some time otherwise."""
        now = [variable.value for variable in variables]
        before = [place.value for place in self.rings]
        values = cond(wanted, lambda: [jnp.copy(x) for x in now], lambda: before)
        for place, value in zip(self.rings, values, strict=True):
            place.assign(value)
        for clock in self.clocks:
            clock.assign(_after(values, clock.value))
        return lambda: [jnp.ravel(x) for x in values]

    def free(self) -> None:
        """Gives the memory back, until `resume`."""
        for place in self.rings:
            place._value = None

    def resume(self) -> None:
        """Has the memory again."""
        for place in self.rings:
            place.assign(jnp.zeros(place.shape, place.dtype))


def new_weight_buffer(variables: Sequence[keras.Variable], optimizer: Any) -> WeightBuffer | None:
    """Room for these variables of `optimizer`, built.

    None on an accelerator, where memory is scarce and a copy should take little time (as reckoned,
    not measured); and where a device holds a part of a variable only.
    """
    if jax.default_backend() != "cpu" or splits_variables() or not any(map(_size, variables)):
        return None
    rings = [new_ring("keras_l4_kept", tuple(v.shape), v.dtype, beside=v) for v in variables]
    return WeightBuffer(
        rings, [v for v in optimizer.variables if v.dtype in _CLOCKS and not len(v.shape)]
    )


def _size(variable: keras.Variable) -> int:
    return math.prod(variable.shape)


def _after(arrays: Sequence[Any], x: Any) -> Any:
    """The same number, but not before there are `arrays`.

    What comes of it may then be written where they were read. XLA drops barriers, and whatever it
    sees to be nothing; it does not see that of two integers in a row one is even.
    """
    largest = max(arrays, key=lambda array: array.size)
    number = _bits(largest.reshape(-1)[0])
    return _with_bits(x, number * (number + 1) & 1)


@jax.custom_jvp
def _with_bits(x: Any, more: Any) -> Any:
    bits = _bits(x)
    return jax.lax.bitcast_convert_type(bits | more.astype(bits.dtype), x.dtype)


@_with_bits.defjvp
def _(primals: Any, tangents: Any) -> tuple[Any, Any]:
    # Who derives an update by its rate gets the same as without us.
    return _with_bits(*primals), tangents[0]


def _bits(x: Any) -> Any:
    return jax.lax.bitcast_convert_type(x, INTEGERS[x.dtype.itemsize])
