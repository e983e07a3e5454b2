"""What is not finite in what a step was given: the batch and the variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_l4.forensics import tracing
from keras_l4.forensics._numbers import number


def batch_cause(name: str, batch: tuple[Any, Any, Any]) -> str:
    """Which elements of the batch are not finite: "input batch: 1 NaN in column 17 of row 4".

    Args:
        name: That of the array, as `batch_arrays` gives it.
        batch: The inputs, targets and sample weights.
    """
    array = _to_numpy(dict(tracing.batch_arrays(*batch))[name])
    broken = ~np.isfinite(array)
    if not broken.any():
        return f"{name}: {number(float(np.abs(array).max()))} overflows {keras.config.floatx()}"
    first = "" if broken.sum() == 1 else "the first "
    return f"{name}: {_counts(array)}{', ' if first else ' '}{first}{_position(broken)}"


def weights_cause(model: Any, path: str) -> str:
    """What the variable holds that is not finite: "dense/kernel: 3 NaN of 640 elements ..."."""
    array = _to_numpy(next(v for v in model.variables if v.path == path))
    return f"{path}: {_counts(array)} of {array.size} elements before the step"


def negative_variance(model: Any, layer: str) -> str:
    """Says so where the layer at this path holds a variance that is none; "" otherwise."""
    for variable in model.non_trainable_variables:
        if variable.path == f"{layer}/moving_variance":
            array = _to_numpy(variable)
            if array.min() < 0:
                return _negative(variable.path, array)
    return ""


def _negative(path: str, array: np.ndarray) -> str:
    return (
        f"{path}: {number(float(array.min()))} is no variance; {int((array < 0).sum())} of "
        f"{array.size} elements are negative before the step"
    )


def _counts(array: np.ndarray) -> str:
    kinds = (("NaN", np.isnan(array)), ("Inf", np.isinf(array)))
    return " and ".join(f"{mask.sum()} {word}" for word, mask in kinds if mask.any())


def _position(broken: np.ndarray) -> str:
    at: Sequence[int] = [int(i) for i in np.argwhere(broken)[0]]
    if len(at) == 1:
        return f"in row {at[0]}"
    if len(at) == 2:
        return f"in column {at[1]} of row {at[0]}"
    return f"at {list(at)}"


def _to_numpy(array: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(array), np.float64)
