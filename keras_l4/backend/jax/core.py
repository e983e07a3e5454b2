"""JAX: arrays do not change, and branches and reductions are XLA's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_l4.backend.jax.distribution import splits_variables
from keras_l4.backend.jax.ring_buffer import Ring, updated

_Measure = TypeVar("_Measure", bound=Callable[..., Any])


def no_grad(measure: _Measure) -> _Measure:
    """Decorates what measures: nothing to do."""
    return measure


def to_flag(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: only on the device."""
    return flag


def logical_or(a: Any, b: Any) -> Any:
    """Whether one of the flags is true."""
    return a | b


def all_true(mask: Any) -> Any:
    """Whether all of it is true."""
    return mask.all()


def apply_unless(flag: Any, update: Callable[[], None], variables: Sequence[Any]) -> None:
    """Runs `update`, which assigns to these variables, unless `flag`.

    It is always computed, and only its result is not taken: XLA might round it differently within
    a branch, or in one loop with `where`.
    """
    before = [variable.value for variable in variables]
    update()
    after = [variable.value for variable in variables]
    for variable, value in zip(variables, cond(flag, lambda: before, lambda: after), strict=True):
        variable.assign(value)


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, else `y`."""
    return jnp.where(condition, x, y)


def constant(array: np.ndarray, like: Any) -> Any:
    """A tensor of `array` where `like` is."""
    return jnp.asarray(array)


def read_variable(variable: Any, xla: bool) -> Any:
    """The variable's array as it is now."""
    return flatten_unless_split(keras.ops.convert_to_tensor(variable))


def read_counter(counter: Any) -> Any:
    """A counter as it is now."""
    return keras.ops.convert_to_tensor(counter)


def snapshot_variables(
    wanted: Any, variables: Sequence[Any], xla: bool, kept: Any = None
) -> Callable[[], list[Any]]:
    """Gives the variables as they are now: arrays do not change."""
    if kept is not None:
        return kept.take(wanted, variables)
    held = [read_variable(v, xla) for v in variables]
    return lambda: held


def measure_if(
    wanted: Any,
    measure: Callable[[], tuple[Sequence[Any], Any]],
    otherwise: Callable[[], Sequence[Any]],
    samples: Ring,
    index: Any,
) -> Sequence[Any]:
    """`measure()` where `wanted`, its sample written to `samples[index]`; else `otherwise()`."""

    def taken() -> tuple[Sequence[Any], Any]:
        measured, sample = measure()
        return measured, updated(samples, index, sample)

    measured, written = cond(wanted, taken, lambda: (otherwise(), samples.value))
    samples.assign(written)
    return measured


def optimization_barrier(x: Any) -> Any:
    """`x` as it is: XLA would move a factor of it behind a square, which may overflow then."""
    return jax.lax.optimization_barrier(x)


def to_float32(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (jnp.float32, jnp.float64) else x.astype(jnp.float32)


def to_accumulation_dtype(x: Any) -> Any:
    """Of a dtype whose sums lose no digits: they go by halves."""
    return to_float32(x)


def subtract_in_float32(x: Any, y: Any) -> Any:
    """The difference x - y, in float32 or better."""
    return to_float32(x) - to_float32(y)


def is_nan(x: Any) -> Any:
    return jnp.isnan(x)


def is_inf(x: Any) -> Any:
    return jnp.isinf(x)


def strided_sample(x: Any, stride: int, size: int) -> Any:
    """Every `stride`-th element in float32, `[size]`.

    Of a gradient that is sparse or missing, the elements that are left out are zeros at the end.
    """
    if splits_variables():
        sample = x[np.unravel_index(np.arange(0, x.size, stride), x.shape)].astype(jnp.float32)
    else:
        sample = jnp.ravel(x)[::stride].astype(jnp.float32)
    return jnp.pad(sample, (0, size - sample.size))


def is_traced(x: Any) -> bool:
    """Whether `x` has no value yet."""
    return isinstance(x, jax.core.Tracer)


def cond(predicate: Any, true: Callable[[], Any], false: Callable[[], Any]) -> Any:
    """`true()` or `false()`, which give the same shapes."""
    if is_traced(predicate):
        return jax.lax.cond(predicate, true, false)
    # XLA would compile both, anew at every step.
    return true() if predicate else false()


def flatten_unless_split(x: Any) -> Any:
    # XLA moves reshapes through the update; an array of rank two that has to stand in memory for
    # the measurements would pin one, and the update be rounded differently. One that is split
    # over devices would have to be put together to be flat.
    return x if splits_variables() else jnp.ravel(x)
