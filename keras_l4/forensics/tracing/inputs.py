"""What a step is given: its batch and the model's variables, under names for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_l4.forensics.tracing.log import NonFiniteOpLog, Value

_PARTS = ("input batch", "target batch", "sample weights")


def batch_arrays(x: Any, y: Any, sample_weight: Any) -> Iterator[tuple[str, Any]]:
    """Each array of the batch under its name: `("input batch 'image'", array)`."""
    for part, structure in zip(_PARTS, (x, y, sample_weight), strict=True):
        for path, leaf in keras.tree.flatten_with_path(structure):
            if leaf is not None:
                key = "/".join(map(str, path))
                yield f"{part} {key!r}" if key else part, leaf


def enter_sources(
    journal: NonFiniteOpLog,
    model: Any,
    batch: tuple[Any, Any, Any],
    value: Callable[[Any], Value],
    variable_value: Callable[[Any], Value],
) -> None:
    """What is not finite before the step begins.

    Args:
        journal: Where it is written down.
        model: Whose variables are looked at.
        batch: The inputs, targets and sample weights, as the step takes them.
        value: Gives the value of a tensor.
        variable_value: Gives that of a variable.
    """
    for name, leaf in batch_arrays(*batch):
        journal.source("data", name, value(leaf))
    for variable in model.variables:
        journal.source("weights", variable.path, variable_value(variable))


def loss_factor(optimizer: Any) -> float:
    """What the loss is multiplied by before it is differentiated."""
    if optimizer is None:
        return 1.0
    return float(keras.ops.convert_to_numpy(optimizer.scale_loss(keras.ops.ones(()))))
