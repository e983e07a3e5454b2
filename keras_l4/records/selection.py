"""Blocks cut and put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_l4.records.block import StepBlock

_PER_STEP = (
    *("steps", "iterations", "epochs", "batches", "learning_rate"),
    *("loss_scale", "skipped", "held", "loss", "sampled"),
)


def select(block: StepBlock, keep: np.ndarray) -> StepBlock:
    """The steps of `block` where `keep`, `bool[steps]`, is true."""
    if keep.all():
        return block

    def rows(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array[keep[block.rows(name)]] for name, array in arrays.items()}

    per_step: dict[str, Any] = {name: getattr(block, name)[keep] for name in _PER_STEP}
    return replace(
        block,
        **per_step,
        values=rows(block.values),
        layer_values=rows(block.layer_values),
    )


def chain(blocks: Sequence[StepBlock]) -> StepBlock:
    """One block of several with the same variables, with the quantities that all of them have."""
    if len(blocks) == 1:
        return blocks[0]

    def joined(arrays: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        names = [name for name in arrays[0] if all(name in a for a in arrays)]
        return {name: np.concatenate([a[name] for a in arrays]) for name in names}

    per_step: dict[str, Any] = {
        name: np.concatenate([getattr(block, name) for block in blocks]) for name in _PER_STEP
    }
    return replace(
        blocks[-1],
        **per_step,
        values=joined([block.values for block in blocks]),
        layer_values=joined([block.layer_values for block in blocks]),
    )
