"""Control flow, reads of variables and elementwise operations on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_l4.backend.interface import Array, Function, Ring, Tensor, Variable, WeightBuffer
from keras_l4.backend.jax.arrays import flatten_unless_split, is_traced, splits_variables, with_row


def no_grad(function: Function) -> Function:
    # Nothing to do: JAX differentiates the loss function only.
    return function


def to_flag(flag: Tensor) -> Tensor:
    return flag


def logical_or(a: Any, b: Any) -> Tensor:
    return a | b


def all_true(mask: Tensor) -> Tensor:
    return mask.all()


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    if is_traced(pred):
        return jax.lax.cond(pred, true_fn, false_fn)
    # In a step that runs eagerly XLA would compile both branches anew at every call.
    return true_fn() if pred else false_fn()


def cond_with_row(
    pred: Any,
    true_fn: Callable[[], tuple[Sequence[Tensor], Tensor]],
    false_fn: Callable[[], Sequence[Tensor]],
    ring: Ring,
    index: Any,
) -> Sequence[Tensor]:
    # A branch cannot assign to a variable: it returns the new array of the ring buffer.
    def outputs_and_array() -> tuple[Sequence[Tensor], Tensor]:
        outputs, row = true_fn()
        return outputs, with_row(ring.value, index, row)

    outputs, array = cond(pred, outputs_and_array, lambda: (false_fn(), ring.value))
    ring.assign(array)
    return outputs


def apply_unless(
    should_skip: Any, update: Callable[[], None], variables: Sequence[Variable]
) -> None:
    """See `Core.apply_unless`. The update is always computed, and a branch selects the values.

    XLA may round an update differently inside a branch, or fused with a `where`.
    """
    before = [variable.value for variable in variables]
    update()
    after = [variable.value for variable in variables]
    values = cond(should_skip, lambda: before, lambda: after)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return jnp.where(condition, x, y)


def constant(array: Array, like: Tensor) -> Tensor:
    return jnp.asarray(array)


def read_variable(variable: Any, xla: bool) -> Tensor:
    return flatten_unless_split(keras.ops.convert_to_tensor(variable))


def read_counter(counter: Variable) -> Tensor:
    return keras.ops.convert_to_tensor(counter)


def snapshot_variables(
    is_sampled: Any,
    variables: Sequence[Variable],
    xla: bool,
    weight_buffer: WeightBuffer | None = None,
) -> Callable[[], list[Tensor]]:
    if weight_buffer is not None:
        return weight_buffer.snapshot(is_sampled, variables)
    # Arrays are immutable: a reference is a copy.
    arrays = [read_variable(v, xla) for v in variables]
    return lambda: arrays


def optimization_barrier(x: Tensor) -> Tensor:
    # Needed for (x / a)²: XLA rewrites it to x² / a², which may overflow.
    return jax.lax.optimization_barrier(x)


def to_float32(x: Tensor) -> Tensor:
    return x if x.dtype in (jnp.float32, jnp.float64) else x.astype(jnp.float32)


def to_accumulation_dtype(x: Tensor) -> Tensor:
    # XLA adds pairwise, so that float32 is enough.
    return to_float32(x)


def subtract_in_float32(x: Tensor, y: Tensor) -> Tensor:
    return to_float32(x) - to_float32(y)


def is_nan(x: Tensor) -> Tensor:
    return jnp.isnan(x)


def is_inf(x: Tensor) -> Tensor:
    return jnp.isinf(x)


def strided_sample(x: Tensor, stride: int, size: int) -> Tensor:
    if splits_variables():
        # To flatten a split array, XLA would gather it on each device.
        sample = x[np.unravel_index(np.arange(0, x.size, stride), x.shape)].astype(jnp.float32)
    else:
        sample = jnp.ravel(x)[::stride].astype(jnp.float32)
    return jnp.pad(sample, (0, size - sample.size))
