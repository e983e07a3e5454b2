"""JAX: arrays do not change, and branches and reductions are XLA's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_l4.backend.jax_branches import cond
from keras_l4.backend.jax_folds import INTEGERS, folded
from keras_l4.backend.jax_kept import Kept
from keras_l4.backend.jax_ring import Ring, updated
from keras_l4.backend.mesh import apart, splits_variables

_Measure = TypeVar("_Measure", bound=Callable[..., Any])


def underived(measure: _Measure) -> _Measure:
    """Decorates what measures: nothing to do."""
    return measure


def known(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: only on the device."""
    return flag


def either(a: Any, b: Any) -> Any:
    """Whether one of the flags is true."""
    return a | b


def every(mask: Any) -> Any:
    """Whether all of it is true."""
    return mask.all()


def unless(flag: Any, update: Callable[[], None], variables: Sequence[Any]) -> None:
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


def whole_gradient(gradient: Any, xla: bool) -> Any:
    """The gradient."""
    return _flat(_aside(apart(gradient)))


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


def value(variable: Any, xla: bool) -> Any:
    """The variable's array as it is now."""
    return _flat(keras.ops.convert_to_tensor(variable))


def _flat(x: Any) -> Any:
    # XLA moves reshapes through the update; an array of rank two that has to stand in memory for
    # the measurements would pin one, and the update be rounded differently. One that is split
    # over devices would have to be put together to be flat.
    return x if splits_variables() else jnp.ravel(x)


def counted(counter: Any) -> Any:
    """A counter as it is now."""
    return keras.ops.convert_to_tensor(counter)


def snapshot(
    wanted: Any, variables: Sequence[Any], xla: bool, kept: Kept | None = None
) -> Callable[[], list[Any]]:
    """Gives the variables as they are now: arrays do not change."""
    if kept is not None:
        return kept.take(wanted, variables)
    held = [value(v, xla) for v in variables]
    return lambda: held


def branch(
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


def pinned(x: Any) -> Any:
    """`x` as it is: XLA would move a factor of it behind a square, which may overflow then."""
    return jax.lax.optimization_barrier(x)


def widen(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (jnp.float32, jnp.float64) else x.astype(jnp.float32)


def summable(x: Any) -> Any:
    """Of a dtype whose sums lose no digits: they go by halves."""
    return widen(x)


def cheap_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    # At every step: to copy an array must be nothing beside the kernel that it saves.
    [sums] = folded(tensors, lambda x: [jnp.square(widen(x))], ["sum"], small=2**12)
    return jnp.sqrt(sums).astype(jnp.float32)


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`; 0 for an empty tensor."""
    [sums] = folded(tensors, lambda x: [widen(x)], ["sum"])
    return (sums / np.array([max(1, x.size) for x in tensors], sums.dtype)).astype(jnp.float32)


def difference(x: Any, y: Any) -> Any:
    """The difference x - y, in float32 or better."""
    return widen(x) - widen(y)


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
