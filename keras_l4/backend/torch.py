"""torch: eager, so that branches are Python's and state is written in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch

from keras_l4.backend.torch_ring import Ring, write

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_FOLDS: dict[str, Callable[[Any], Any]] = {
    "count": torch.count_nonzero,
    "maximum": torch.max,
    "minimum": torch.min,
}


def known(flag: Any) -> Any:
    """Whether, as far as it can be known while the step runs: here it waits for it."""
    return bool(flag)


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


def constant(array: np.ndarray, like: Any) -> Any:
    """A tensor of `array` where `like` is."""
    return torch.as_tensor(array, device=like.device)


def whole_gradient(gradient: Any, xla: bool) -> Any:
    """The gradient, dense: torch embeddings of Keras are."""
    return gradient.detach()


def is_sparse(gradient: Any) -> bool:
    return False


def value(variable: Any, xla: bool) -> Any:
    """The variable's tensor as it is now."""
    held = variable.value if isinstance(variable, keras.Variable) else variable
    return held.detach()


def snapshot(wanted: Any, variables: Sequence[Any], xla: bool) -> list[Any]:
    """Copies of the variables where `wanted`; nothing otherwise."""
    return [v.value.detach().clone() for v in variables] if wanted else []


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


def widen(x: Any) -> Any:
    """Float32 for anything narrower."""
    return x if x.dtype in (torch.float32, torch.float64) else x.to(torch.float32)


def cheap_norms(tensors: Sequence[Any]) -> Any:
    """√Σx², `float32[len(tensors)]`; the sum may over- or underflow."""
    # Norms and dot products add up one after the other, which loses digits over millions of
    # elements; sums go by halves.
    squares = torch._foreach_mul(wide := [widen(x) for x in tensors], wide)
    sums = [square.sum() for square in squares]
    if len({x.dtype for x in sums}) > 1:
        return torch.stack([x.sqrt().to(torch.float32) for x in sums])
    return torch.stack(sums).sqrt().to(torch.float32)


def means(tensors: Sequence[Any]) -> Any:
    """Means, `float32[len(tensors)]`; 0 for an empty tensor."""
    return torch.stack([_mean(widen(x)) for x in tensors])


def _mean(x: Any) -> Any:
    return x.mean().to(torch.float32) if x.numel() else x.new_zeros((), dtype=torch.float32)


def maximum(x: Any) -> Any:
    """Largest element; NaN where there is one, 0 for an empty tensor."""
    return x.max() if x.numel() else x.new_zeros(())


def fold(elements: Sequence[Any], folds: Sequence[str]) -> list[Any]:
    """Tensors of one size, each to a scalar; 0 for an empty one."""
    pairs = zip(elements, folds, strict=True)
    return [_fold(x, how) for x, how in pairs]


def _fold(x: Any, how: str) -> Any:
    if x.numel():
        return _FOLDS[how](x)
    return x.new_zeros((), dtype=torch.int64 if how == "count" else x.dtype)


def from_bits(bits: Any, like: Any) -> Any:
    """The number in float32 of which these are the bits, in the dtype of `like`."""
    return bits.view(like.dtype).to(torch.float32)


def is_nan(x: Any) -> Any:
    return torch.isnan(x)


def is_inf(x: Any) -> Any:
    return torch.isinf(x)


def magnitude_bits(x: Any) -> Any:
    """The bits without that of the sign."""
    integer = _INTEGERS[x.dtype.itemsize]
    return x.contiguous().view(integer) & torch.iinfo(integer).max


def strided_sample(x: Any, stride: int, size: int) -> Any:
    """Every `stride`-th element in float32, `[size]`.

    Of a gradient that is sparse or missing, the elements that are left out are zeros at the end.
    """
    sample = x.detach().reshape(-1)[::stride].to(torch.float32)
    missing = size - sample.numel()
    return torch.nn.functional.pad(sample, (0, missing)) if missing else sample
