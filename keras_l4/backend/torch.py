"""torch: eager, so that branches are Python's and state is written in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras
import torch

from keras_l4.backend.torch_folds import widen
from keras_l4.backend.torch_ring import Ring, write

_Measure = TypeVar("_Measure", bound=Callable[..., Any])


def underived(measure: _Measure) -> _Measure:
    """Decorates what measures: nobody derives what is measured."""
    return torch.no_grad()(measure)


def known(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: here it waits for it."""
    return bool(flag)


def either(a: bool, b: Any) -> bool:
    """Whether one of the flags is true; the second is waited for only where the first is not."""
    return a or bool(b)


def every(mask: Any) -> Any:
    """Whether all of it is true."""
    return mask.all()


def cond(predicate: Any, true: Callable[[], Any], false: Callable[[], Any]) -> Any:
    """`true()` or `false()`, which give the same shapes."""
    return true() if predicate else false()


def unless(flag: Any, update: Callable[[], None], variables: Sequence[Any]) -> None:
    """Runs `update`, which assigns to these variables, unless `flag`."""
    if not flag:
        update()


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, else `y`."""
    return torch.where(condition, x, y)


def whole_gradient(gradient: Any, xla: bool) -> Any:
    """The gradient, dense: torch embeddings of Keras are."""
    return gradient


def is_sparse(gradient: Any) -> bool:
    return False


def value(variable: Any, xla: bool) -> Any:
    """The variable's tensor as it is now."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def counted(counter: Any) -> Any:
    """A counter as it is now: it is counted in place."""
    return value(counter, False).clone()


def snapshot(
    wanted: Any, variables: Sequence[Any], xla: bool, kept: None = None
) -> Callable[[], list[Any]]:
    """Gives the variables as they are now where `wanted`; nothing otherwise."""
    copies = [v.value.clone() for v in variables] if wanted else []
    return lambda: copies


def branch(
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


def difference(x: Any, y: Any) -> Any:
    """The difference x - y, in float32 or better."""
    return widen(x) - widen(y)


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
