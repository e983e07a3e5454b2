"""The inputs of a step, the batch and the variables, under names for the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras

from keras_l4.forensics.tracing.log import NonFiniteOpLog, Value

Tensor: TypeAlias = Any
Batch: TypeAlias = tuple[Any, Any, Any]
"""Inputs, targets and sample weights, as `train_step` gets them."""

_PARTS = ("input batch", "target batch", "sample weights")


def batch_arrays(batch: Batch) -> Iterator[tuple[str, Tensor]]:
    """Yields each array of the batch with its name: `("input batch 'image'", array)`."""
    for part, structure in zip(_PARTS, batch, strict=True):
        for path, leaf in keras.tree.flatten_with_path(structure):
            if leaf is not None:
                key = "/".join(map(str, path))
                yield f"{part} {key!r}" if key else part, leaf


def log_inputs(
    log: NonFiniteOpLog,
    model: Any,
    batch: Batch,
    to_value: Callable[[Tensor], Value],
    variable_to_value: Callable[[Any], Value],
) -> None:
    """Adds the non-finite arrays of the batch and variables of the model to the log.

    Args:
        log: The log.
        model: The model.
        batch: The batch, in the tensors that the step runs on.
        to_value: Converts a tensor.
        variable_to_value: Converts a Keras variable.
    """
    for name, leaf in batch_arrays(batch):
        log.add_input("data", name, to_value(leaf))
    for variable in model.variables:
        log.add_input("weights", variable.path, variable_to_value(variable))
