"""Zeros and subnormals, told by their bits.

Comparisons will not do: TensorFlow and XLA flush subnormals on the CPU, so that `1e-40 != 0` is
false there.
"""

from typing import Any

import keras

from keras_l4 import backend

_SMALLEST_NORMAL = {"float16": 1 << 10, "bfloat16": 1 << 7, "float32": 1 << 23, "float64": 1 << 52}


def is_nonzero(x: Any) -> Any:
    """Mask of the elements that are not exactly zero."""
    return backend.reductions.magnitude_bits(x) > 0


def is_subnormal(x: Any) -> Any:
    """Mask of the elements that are not zero, but smaller than the smallest normal number."""
    bits = backend.reductions.magnitude_bits(x)
    return (bits > 0) & (bits < _SMALLEST_NORMAL[keras.backend.standardize_dtype(x.dtype)])
