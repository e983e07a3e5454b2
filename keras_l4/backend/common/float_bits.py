"""Masks of zero and subnormal elements, from the bits of floats.

Comparisons would be wrong: TensorFlow and XLA flush subnormals to zero on the CPU, so that
`1e-40 != 0` is False there.
"""

import keras

from keras_l4 import backend
from keras_l4.backend.interface import Tensor

# The bits of the smallest normal number: exponent 1, mantissa 0.
_SMALLEST_NORMAL = {"float16": 1 << 10, "bfloat16": 1 << 7, "float32": 1 << 23, "float64": 1 << 52}


def is_nonzero(x: Tensor) -> Tensor:
    """Returns a mask of the elements that are not exactly zero."""
    return backend.reductions.magnitude_bits(x) > 0


def is_subnormal(x: Tensor) -> Tensor:
    """Returns a mask of the nonzero elements below the smallest normal number of their dtype."""
    bits = backend.reductions.magnitude_bits(x)
    return (bits > 0) & (bits < _SMALLEST_NORMAL[keras.backend.standardize_dtype(x.dtype)])
