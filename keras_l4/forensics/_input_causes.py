"""Explains which elements of the batch or of a variable are not finite before the step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_l4.forensics import tracing
from keras_l4.forensics._number_format import format_number


def batch_cause(name: str, batch: tuple[Any, Any, Any]) -> str:
    """Describes the non-finite elements of a batch: "input batch: 1 NaN in column 17 of row 4".

    Args:
        name: Name of the array, as `batch_arrays` gives it.
        batch: Inputs, targets and sample weights.
    """
    array = _to_float64(dict(tracing.batch_arrays(batch))[name])
    nonfinite = ~np.isfinite(array)
    if not nonfinite.any():
        # The array is finite in its own dtype, and not in the one that the step converts it to.
        max_abs = format_number(float(np.abs(array).max()))
        return f"{name}: {max_abs} overflows {keras.config.floatx()}"
    separator = " " if nonfinite.sum() == 1 else ", the first "
    return f"{name}: {_counts(array)}{separator}{_first_position(nonfinite)}"


def weights_cause(model: Any, path: str) -> str:
    """Describes the non-finite elements of the variable at `path`."""
    array = _to_float64(next(v for v in model.variables if v.path == path))
    return f"{path}: {_counts(array)} among {array.size} elements before the step"


def negative_variance(model: Any, layer: str) -> str:
    """Describes a negative moving variance of the layer at the path `layer`; "" if it has none."""
    for variable in model.non_trainable_variables:
        if variable.path == f"{layer}/moving_variance":
            array = _to_float64(variable)
            if array.min() < 0:
                return (
                    f"{variable.path}: negative variance {format_number(float(array.min()))}; "
                    f"{int((array < 0).sum())} of {array.size} elements are negative before the step"
                )
    return ""


def _counts(array: np.ndarray) -> str:
    masks = (("NaN", np.isnan(array)), ("Inf", np.isinf(array)))
    return " and ".join(f"{mask.sum()} {word}" for word, mask in masks if mask.any())


def _first_position(mask: np.ndarray) -> str:
    index = [int(i) for i in np.argwhere(mask)[0]]
    if len(index) == 1:
        return f"in row {index[0]}"
    if len(index) == 2:
        return f"in column {index[1]} of row {index[0]}"
    return f"at {index}"


def _to_float64(array: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(array), np.float64)
