"""A model that is run, and is afterwards as it was before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_l4.backend.model_private import build_model


@contextlib.contextmanager
def unchanged(model: Any, batch: tuple[Any, Any, Any]) -> Iterator[None]:
    """What is assigned inside to a variable of the model or its metrics is put back.

    Args:
        model: A compiled and built model.
        batch: The inputs, targets and sample weights that it is run on.
    """
    # The trainers do the same first: a loss that is built in its first step adds metrics, which
    # would not be put back; on JAX it could not be built there at all.
    build_model(model, batch)
    variables = [*model.variables, *model.metrics_variables]
    before = [keras.ops.copy(variable.value) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
