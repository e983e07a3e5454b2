"""Selects steps of a block, and concatenates blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from keras_l4.records.block import StepBlock

# Annotations are strings here, because block.py postpones their evaluation.
_PER_STEP_FIELDS = tuple(f.name for f in fields(StepBlock) if f.type == "np.ndarray")


def select_steps(block: StepBlock, mask: np.ndarray) -> StepBlock:
    """Returns the steps of `block` at which `mask`, `bool[steps]`, is true."""
    if mask.all():
        return block

    def select_rows(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array[mask[block.rows(name)]] for name, array in arrays.items()}

    per_step: dict[str, Any] = {name: getattr(block, name)[mask] for name in _PER_STEP_FIELDS}
    return replace(
        block,
        **per_step,
        values=select_rows(block.values),
        layer_values=select_rows(block.layer_values),
    )


def concatenate_blocks(blocks: Sequence[StepBlock]) -> StepBlock:
    """Concatenates blocks with the same variables.

    The result has the quantities that all blocks have.
    """
    if len(blocks) == 1:
        return blocks[0]

    def concatenate(arrays: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        names = [name for name in arrays[0] if all(name in a for a in arrays)]
        return {name: np.concatenate([a[name] for a in arrays]) for name in names}

    per_step: dict[str, Any] = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name in _PER_STEP_FIELDS
    }
    return replace(
        blocks[-1],
        **per_step,
        values=concatenate([block.values for block in blocks]),
        layer_values=concatenate([block.layer_values for block in blocks]),
    )
