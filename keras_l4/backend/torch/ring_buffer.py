"""Ring buffers on torch: tensors that are written in place. Counters live on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch

from keras_l4.backend.interface import Array, Ring, Tensor, Variable


def create(name: str, shape: tuple[int, ...], dtype: str, colocate_with: Variable) -> Ring:
    # Keras trains on one device, on which it creates every variable.
    return keras.Variable(np.zeros(shape), dtype=dtype, trainable=False, name=name)


def create_counters(name: str, size: int, colocate_with: Variable) -> Ring:
    # The host increments the counters itself. On the CPU it reads them without waiting for the device.
    with keras.device("cpu"):
        return create(name, (size,), "int", colocate_with)


def read_counters(counters: Ring) -> list[int]:
    return counters.value.tolist()


def increment_counters(counters: Ring, counts: Sequence[int], increments: Sequence[Any]) -> None:
    sums = [count + int(n) for count, n in zip(counts, increments, strict=True)]
    counters.value.copy_(torch.tensor(sums))


def concat_flat(values: Sequence[Any], dtype: str) -> Tensor:
    tensors = [x.value if isinstance(x, keras.Variable) else x for x in values]
    device = next((x.device for x in tensors if isinstance(x, torch.Tensor)), None)
    torch_dtype = getattr(torch, dtype)
    vectors = [_to_vector(x, torch_dtype, device) for x in tensors]
    return torch.cat(vectors) if vectors else torch.zeros(0, dtype=torch_dtype)


def _to_vector(x: Any, dtype: Any, device: Any) -> Tensor:
    if not isinstance(x, torch.Tensor):
        # `full` fills on the device. To copy a number from the host would wait for the device.
        return torch.full((1,), x, dtype=dtype, device=device)
    vector = x.to(device, dtype)
    return vector if vector.dim() == 1 else vector.reshape(-1)


def write(ring: Ring, index: int, row: Tensor) -> None:
    ring.value[index].copy_(row)


def overwrite(ring: Ring, values: Tensor) -> None:
    ring.value.copy_(values)


def read(ring: Ring) -> Array:
    return ring.value.detach().cpu().numpy().copy()


def read_async(rings: Sequence[Ring]) -> Callable[[], list[Array]]:
    copies = [ring.value.detach().clone() for ring in rings]
    return lambda: [copy.cpu().numpy() for copy in copies]
