"""torch: rings are tensors that are written in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import torch

Ring: TypeAlias = keras.Variable


def ring(name: str, shape: tuple[int, ...], dtype: str, beside: keras.Variable) -> Ring:
    """A device variable of zeros."""
    return keras.Variable(np.zeros(shape), dtype=dtype, trainable=False, name=name)


def row(parts: Sequence[Any], dtype: str) -> Any:
    """The parts, scalars or vectors, one after the other: a vector."""
    device = next((x.device for x in parts if isinstance(x, torch.Tensor)), None)
    kind = getattr(torch, dtype)
    vectors = [torch.as_tensor(x, dtype=kind, device=device).reshape(-1) for x in parts]
    return torch.cat(vectors) if vectors else torch.zeros(0, dtype=kind)


def write(ring: Ring, index: Any, row: Any) -> None:
    """ring[index] = row, in place."""
    # An index that is a tensor would be waited for.
    held, at = ring.value, torch.as_tensor(index).reshape(1)
    held.index_copy_(0, at.to(held.device, torch.int64), row.reshape(1, -1).to(held))


def read(ring: Ring) -> np.ndarray:
    """A copy on the host."""
    return ring.value.detach().cpu().numpy().copy()


def begin_read(ring: Ring) -> Callable[[], np.ndarray]:
    """Asks for what the ring holds now; the result waits for it, and gives it."""
    held = ring.value.detach().clone()
    return lambda: held.cpu().numpy()
