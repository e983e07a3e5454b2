"""Pooling: how the values of variables become the value of their layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np


class VariableValues(Protocol):
    """The part of a `StepBlock` that pooling reads; a protocol, since blocks import this module."""

    @property
    def values(self) -> Mapping[str, np.ndarray]: ...
    @property
    def layers(self) -> tuple[str, ...]: ...
    @property
    def layer_index(self) -> np.ndarray: ...
    @property
    def sizes(self) -> np.ndarray: ...
    def rows(self, quantity: str) -> np.ndarray: ...


def pool(pooling: str, block: VariableValues, quantity: str) -> np.ndarray:
    """Pools `block.values[quantity]` `[steps, variables]` into `[steps, layers]`.

    Args:
        pooling: A key of `POOLINGS`.
        block: The values of all quantities.
        quantity: The quantity to pool.
    """
    return POOLINGS[pooling](block, quantity)


def _sum(block: VariableValues, values: np.ndarray) -> np.ndarray:
    out = np.zeros((values.shape[0], len(block.layers)), dtype=values.dtype)
    np.add.at(out.T, block.layer_index, values.T)
    return out


def _norm(block: VariableValues, quantity: str) -> np.ndarray:
    squares = np.square(block.values[quantity], dtype=np.float64)
    return np.sqrt(_sum(block, squares))


def _count(block: VariableValues, quantity: str) -> np.ndarray:
    return _sum(block, block.values[quantity].astype(np.int64))


def _reduce(block: VariableValues, quantity: str, ufunc: np.ufunc, initial: float) -> np.ndarray:
    values = block.values[quantity]
    out = np.full((values.shape[0], len(block.layers)), initial)
    ufunc.at(out.T, block.layer_index, values.T)
    return out


def _maximum(block: VariableValues, quantity: str) -> np.ndarray:
    return _reduce(block, quantity, np.maximum, -np.inf)


def _minimum(block: VariableValues, quantity: str) -> np.ndarray:
    return _reduce(block, quantity, np.minimum, np.inf)


def _mean_by_size(block: VariableValues, quantity: str) -> np.ndarray:
    layer_sizes = np.bincount(block.layer_index, block.sizes)[block.layer_index]
    weights = block.sizes / np.maximum(layer_sizes, 1)
    # The mean of a variable without elements is NaN. Its weight is 0, but 0 · NaN is NaN and would
    # spoil the mean of the layer.
    return _sum(block, np.where(weights > 0, block.values[quantity], 0) * weights)


def _update_ratio(block: VariableValues, quantity: str) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _norm(block, "update_norm") / _norm(block, "weight_norm")


def _clip_factor(block: VariableValues, quantity: str) -> np.ndarray:
    """‖clipped gradient‖ / ‖gradient‖ of the whole layer; 1 if the gradient is zero."""
    gradient_norms = block.values["gradient_norm"][block.rows(quantity)].astype(np.float64)
    norm = np.sqrt(_sum(block, np.square(gradient_norms)))
    with np.errstate(divide="ignore", invalid="ignore"):
        clipped_norm = np.sqrt(_sum(block, np.square(gradient_norms * block.values[quantity])))
        return np.where(norm == 0, 1.0, clipped_norm / norm)


POOLINGS: Mapping[str, Callable[[VariableValues, str], np.ndarray]] = {
    "norm": _norm,
    "count": _count,
    "maximum": _maximum,
    "minimum": _minimum,
    "mean_by_size": _mean_by_size,
    "update_ratio": _update_ratio,
    "clip_factor": _clip_factor,
}
"""Every quantity names one of these in its attribute `pool`."""

REQUIRED_QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "update_ratio": ("update_norm", "weight_norm"),
    "clip_factor": ("gradient_norm",),
}
"""Pooling to the quantities that it reads beside the pooled one."""
