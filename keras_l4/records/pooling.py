"""From variables to layers: every quantity names one of these rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keras_l4.records.block import StepBlock


def pool(rule: str, block: StepBlock, quantity: str) -> np.ndarray:
    """Pools `block.values[quantity]` `[steps, variables]` into `[steps, layers]`."""
    return RULES[rule](block, quantity)


def _sum(block: StepBlock, values: np.ndarray) -> np.ndarray:
    out = np.zeros((values.shape[0], len(block.layers)), dtype=values.dtype)
    np.add.at(out.T, block.layer_index, values.T)
    return out


def _norm(block: StepBlock, quantity: str) -> np.ndarray:
    squares = np.square(block.values[quantity], dtype=np.float64)
    return np.sqrt(_sum(block, squares))


def _count(block: StepBlock, quantity: str) -> np.ndarray:
    return _sum(block, block.values[quantity].astype(np.int64))


def _extreme(block: StepBlock, quantity: str, ufunc: np.ufunc, start: float) -> np.ndarray:
    values = block.values[quantity]
    out = np.full((values.shape[0], len(block.layers)), start)
    ufunc.at(out.T, block.layer_index, values.T)
    return out


def _maximum(block: StepBlock, quantity: str) -> np.ndarray:
    return _extreme(block, quantity, np.maximum, -np.inf)


def _minimum(block: StepBlock, quantity: str) -> np.ndarray:
    return _extreme(block, quantity, np.minimum, np.inf)


def _mean_by_size(block: StepBlock, quantity: str) -> np.ndarray:
    totals = np.bincount(block.layer_index, block.sizes)[block.layer_index]
    weight = block.sizes / np.maximum(totals, 1)
    # A variable without elements has no mean, and its NaN is not the layer's.
    return _sum(block, np.where(weight > 0, block.values[quantity], 0) * weight)


def _update_ratio(block: StepBlock, quantity: str) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _norm(block, "update_norm") / _norm(block, "weight_norm")


def _clip_factor(block: StepBlock, quantity: str) -> np.ndarray:
    """‖consumed‖ / ‖gradient‖ of the whole layer; 1 where there is no gradient."""
    gradients = block.values["gradient_norm"][block.rows(quantity)].astype(np.float64)
    norm = np.sqrt(_sum(block, np.square(gradients)))
    with np.errstate(divide="ignore", invalid="ignore"):
        consumed = np.sqrt(_sum(block, np.square(gradients * block.values[quantity])))
        return np.where(norm == 0, 1.0, consumed / norm)


RULES = {
    "norm": _norm,
    "count": _count,
    "maximum": _maximum,
    "minimum": _minimum,
    "mean_by_size": _mean_by_size,
    "update_ratio": _update_ratio,
    "clip_factor": _clip_factor,
}
READS = {"update_ratio": ("update_norm", "weight_norm"), "clip_factor": ("gradient_norm",)}
"""Rule to the quantities that it pools from beside its own."""
