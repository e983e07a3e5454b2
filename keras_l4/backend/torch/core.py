"""Control flow, reads of variables and elementwise operations on torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch

from keras_l4.backend.interface import Array, Function, Ring, Tensor, Variable, WeightBuffer
from keras_l4.backend.torch import ring_buffer


def no_grad(function: Function) -> Function:
    return torch.no_grad()(function)


def to_flag(flag: Tensor) -> bool:
    # Waits for the device.
    return bool(flag)


def logical_or(a: bool, b: Any) -> bool:
    # Waits for the device only if `a` is False.
    return a or bool(b)


def all_true(mask: Tensor) -> Tensor:
    return mask.all()


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    return true_fn() if pred else false_fn()


def cond_with_row(
    pred: Any,
    true_fn: Callable[[], tuple[Sequence[Tensor], Tensor]],
    false_fn: Callable[[], Sequence[Tensor]],
    ring: Ring,
    index: Any,
) -> Sequence[Tensor]:
    if not pred:
        return false_fn()
    outputs, row = true_fn()
    ring_buffer.write(ring, index, row)
    return outputs


def apply_unless(
    should_skip: Any, update: Callable[[], None], variables: Sequence[Variable]
) -> None:
    if not should_skip:
        update()


def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)


def constant(array: Array, like: Tensor) -> Tensor:
    return _constant(array.tobytes(), array.dtype.str, like.device)


@functools.lru_cache(maxsize=64)
def _constant(data: bytes, dtype: str, device: Any) -> Tensor:
    # Cached: to copy the array at every step would wait for the device each time.
    return torch.as_tensor(np.frombuffer(data, dtype).copy(), device=device)


def read_variable(variable: Any, xla: bool) -> Tensor:
    return variable.value if isinstance(variable, keras.Variable) else variable


def read_counter(counter: Variable) -> Tensor:
    # A clone, since `assign` changes the tensor in place.
    return read_variable(counter, False).clone()


def snapshot_variables(
    is_sampled: Any,
    variables: Sequence[Variable],
    xla: bool,
    weight_buffer: WeightBuffer | None = None,
) -> Callable[[], list[Tensor]]:
    copies = [v.value.clone() for v in variables] if is_sampled else []
    return lambda: copies


def optimization_barrier(x: Tensor) -> Tensor:
    # There is no compiler that could reorder operations.
    return x


def to_float32(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.to(torch.float32)


def to_accumulation_dtype(x: Tensor) -> Tensor:
    # torch adds pairwise, so that float32 is enough.
    return to_float32(x)


def subtract_in_float32(x: Tensor, y: Tensor) -> Tensor:
    return to_float32(x) - to_float32(y)


def is_nan(x: Tensor) -> Tensor:
    return torch.isnan(x)


def is_inf(x: Tensor) -> Tensor:
    return torch.isinf(x)


def strided_sample(x: Tensor, stride: int, size: int) -> Tensor:
    vector = x.reshape(-1)
    sample = (vector[::stride] if stride > 1 else vector).to(torch.float32)
    num_padding = size - sample.numel()
    return torch.nn.functional.pad(sample, (0, num_padding)) if num_padding else sample
