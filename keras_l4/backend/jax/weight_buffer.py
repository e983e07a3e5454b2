"""Copies of the weights from before an update, on JAX on the CPU.

XLA copies an array that is read after its variable was assigned to, at every step, whether a branch
reads it or not. A branch that writes the copy to a buffer runs on sampled steps only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from keras_l4.backend.interface import Ring, Tensor, Variable
from keras_l4.backend.jax import ring_buffer
from keras_l4.backend.jax.arrays import splits_variables, to_bits
from keras_l4.backend.jax.core import cond
from keras_l4.keras_internals.variables import set_raw_value

_DTYPES_WITH_BITS = ("bfloat16", "float16", "float32", "float64", "int32", "int64")


@dataclass(frozen=True)
class BranchWeightBuffer:
    """A buffer that a branch of the step writes to. Implements `WeightBuffer`.

    Attributes:
        rings: One variable per weight, with its shape and dtype.
        update_inputs: The scalars that the optimizer's update depends on: learning rate, iterations.
    """

    rings: list[Ring]
    update_inputs: list[Variable]

    def snapshot(
        self, is_sampled: Any, variables: Sequence[Variable]
    ) -> Callable[[], list[Tensor]]:
        """See `WeightBuffer`. On other steps, the copies are those of an earlier step."""
        weights = [variable.value for variable in variables]
        earlier = [ring.value for ring in self.rings]
        copies = cond(is_sampled, lambda: [jnp.copy(x) for x in weights], lambda: earlier)
        for ring, copy in zip(self.rings, copies, strict=True):
            ring.assign(copy)
        # The update must wait for the copies: only then may it overwrite the weights in place.
        for scalar in self.update_inputs:
            scalar.assign(_depend_on(copies, scalar.value))
        return lambda: [jnp.ravel(x) for x in copies]

    def free(self) -> None:
        for ring in self.rings:
            set_raw_value(ring, None)

    def resume(self) -> None:
        for ring in self.rings:
            ring.assign(jnp.zeros(ring.shape, ring.dtype))


def create_weight_buffer(
    variables: Sequence[Variable], optimizer: Any
) -> BranchWeightBuffer | None:
    """Creates a buffer on CPUs; returns None on an accelerator, or if variables may be split.

    Memory is scarce on an accelerator, and a copy should take little time there (this is an estimate,
    not measured).
    """
    is_cpu = jax.default_backend() == "cpu"
    if not is_cpu or splits_variables() or not any(math.prod(v.shape) for v in variables):
        return None
    rings = [
        ring_buffer.create("keras_l4_weight_buffer", tuple(v.shape), v.dtype, colocate_with=v)
        for v in variables
    ]
    scalars = [v for v in optimizer.variables if not len(v.shape)]
    return BranchWeightBuffer(rings, [v for v in scalars if v.dtype in _DTYPES_WITH_BITS])


def _depend_on(arrays: Sequence[Tensor], x: Tensor) -> Tensor:
    """Returns `x`, with a data dependency on `arrays` that XLA cannot remove.

    What is computed from `x` may then reuse their memory. n·(n + 1) is always even, so that its lowest
    bit adds zero. XLA does not simplify that, whereas it drops an `optimization_barrier`.
    """
    largest = max(arrays, key=lambda array: array.size)
    n = to_bits(largest.reshape(-1)[0])
    return _or_bits(x, n * (n + 1) & 1)


@jax.custom_jvp
def _or_bits(x: Tensor, zero: Tensor) -> Tensor:
    bits = to_bits(x)
    return jax.lax.bitcast_convert_type(bits | zero.astype(bits.dtype), x.dtype)


@_or_bits.defjvp
def _(primals: Any, tangents: Any) -> tuple[Any, Any]:
    # The derivative with respect to the learning rate is that of the identity.
    return _or_bits(*primals), tangents[0]
