"""torch: eager, so that branches are Python's and state is written in place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import torch

from keras_l4.backend.torch.ring_buffer import Ring, write

_Measure = TypeVar("_Measure", bound=Callable[..., Any])


def no_grad(measure: _Measure) -> _Measure:
    """Decorates what measures: nobody derives what is measured."""
    return torch.no_grad()(measure)


def to_flag(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: here it waits for it."""
    return bool(flag)


def logical_or(a: bool, b: Any) -> bool:
    """Whether one of the flags is true; the second is waited for only where the first is not."""
    return a or bool(b)


def all_true(mask: Any) -> Any:
    """Whether all of it is true."""
    return mask.all()


def cond(predicate: Any, true: Callable[[], Any], false: Callable[[], Any]) -> Any:
    """`true()` or `false()`, which give the same shapes."""
    return true() if predicate else false()


def apply_unless(flag: Any, update: Callable[[], None], variables: Sequence[Any]) -> None:
    """Runs `update`, which assigns to these variables, unless `flag`."""
    if not flag:
        update()


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, else `y`."""
    return torch.where(condition, x, y)


def read_variable(variable: Any, xla: bool) -> Any:
    """The variable's tensor as it is now."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def read_counter(counter: Any) -> Any:
    """A counter as it is now: it is counted in place."""
    return read_variable(counter, False).clone()


def snapshot_variables(
    wanted: Any, variables: Sequence[Any], xla: bool, kept: None = None
) -> Callable[[], list[Any]]:
    """Gives the variables as they are now where `wanted`; nothing otherwise."""
    copies = [v.value.clone() for v in variables] if wanted else []
    return lambda: copies


def measure_if(
    wanted: Any,
    measure: Callable[[], tuple[Sequence[Any], Any]],
    otherwise: Callable[[], Sequence[Any]],
    samples: Ring,
    index: Any,
) -> Sequence[Any]:
    """`measure()` where `wanted`, its sample written to `samples[index]`; else `otherwise()`."""
    if not wanted:
        return otherwise()
    measured, sample = measure()
    write(samples, index, sample)
    return measured


def subtract_in_float32(x: Any, y: Any) -> Any:
    """The difference x - y, in float32 or better."""
    return to_float32(x) - to_float32(y)


def is_nan(x: Any) -> Any:
    return torch.isnan(x)


def is_inf(x: Any) -> Any:
    return torch.isinf(x)


def strided_sample(x: Any, stride: int, size: int) -> Any:
    """Every `stride`-th element in float32, `[size]`.

    Of a gradient that is sparse or missing, the elements that are left out are zeros at the end.
    """
    flat = x.reshape(-1)
    sample = (flat[::stride] if stride > 1 else flat).to(torch.float32)
    missing = size - sample.numel()
    return torch.nn.functional.pad(sample, (0, missing)) if missing else sample


def to_float32(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (torch.float32, torch.float64) else x.to(torch.float32)


def to_accumulation_dtype(x: Any) -> Any:
    """Of a dtype whose sums lose no digits: they go by halves."""
    return to_float32(x)


def constant(array: np.ndarray, like: Any) -> Any:
    """A tensor of `array` where `like` is."""
    return _constant(array.tobytes(), array.dtype.str, like.device)


@functools.lru_cache(maxsize=64)
def _constant(data: bytes, dtype: str, device: Any) -> Any:
    # To copy it at every step would be to wait for the device.
    return torch.as_tensor(np.frombuffer(data, dtype).copy(), device=device)


def optimization_barrier(x: Any) -> Any:
    """Returns `x`: this backend needs no barrier."""
    return x
