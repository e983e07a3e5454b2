"""torch: rings are tensors that are written in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import torch

Ring: TypeAlias = keras.Variable


def new_ring(name: str, shape: tuple[int, ...], dtype: str, beside: keras.Variable) -> Ring:
    """A device variable of zeros."""
    return keras.Variable(np.zeros(shape), dtype=dtype, trainable=False, name=name)


def new_counters(name: str, num: int, beside: keras.Variable) -> Ring:
    """Integers that the host knows without waiting for the device, since it counts itself."""
    with keras.device("cpu"):
        return new_ring(name, (num,), "int", beside)


def read_counters(counters: Ring) -> Any:
    """What they are now."""
    return counters.value.tolist()


def increment_counters(counters: Ring, before: Sequence[Any], by: Sequence[Any]) -> None:
    """Adds `by` to what they were before."""
    now = [a + int(b) for a, b in zip(before, by, strict=True)]
    counters.value.copy_(torch.tensor(now))


def concat_flat(parts: Sequence[Any], dtype: str) -> Any:
    """The parts, scalars or vectors, one after the other: a vector."""
    held = [x.value if isinstance(x, keras.Variable) else x for x in parts]
    device = next((x.device for x in held if isinstance(x, torch.Tensor)), None)
    kind = getattr(torch, dtype)
    vectors = [_vector(x, kind, device) for x in held]
    return torch.cat(vectors) if vectors else torch.zeros(0, dtype=kind)


def _vector(x: Any, dtype: Any, device: Any) -> Any:
    if not isinstance(x, torch.Tensor):
        # Unlike a copy from the host, one that is filled there does not wait for the device.
        return torch.full((1,), x, dtype=dtype, device=device)
    moved = x.to(device, dtype)
    return moved if moved.dim() == 1 else moved.reshape(-1)


def write(ring: Ring, index: int, row: Any) -> None:
    """ring[index] = row, in place."""
    ring.value[index].copy_(row)


def overwrite(ring: Ring, values: Any) -> None:
    """ring[:] = values, in place."""
    ring.value.copy_(values)


def read(ring: Ring) -> np.ndarray:
    """A copy on the host."""
    return ring.value.detach().cpu().numpy().copy()


def read_async(rings: Sequence[Ring]) -> Callable[[], list[np.ndarray]]:
    """Asks for what the rings hold now; the result waits for it, and gives it."""
    held = [ring.value.detach().clone() for ring in rings]
    return lambda: [copy.cpu().numpy() for copy in held]
