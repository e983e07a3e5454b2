"""Arrays as JSON. JSON has no NaN and no Infinity, so the bytes are sent in base64."""

from __future__ import annotations

import base64
from typing import TypeAlias

import numpy as np

EncodedArray: TypeAlias = dict[str, object]


def encode_array(values: np.ndarray) -> EncodedArray:
    """Encodes an array as its dtype, its shape and its little-endian bytes in base64.

    >>> encode_array(np.array([[1.0, 2.0]], np.float32))
    {'dtype': 'float32', 'shape': [1, 2], 'base64': 'AACAPwAAAEA='}
    """
    contiguous = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    text = base64.b64encode(contiguous.tobytes()).decode()
    return {"dtype": values.dtype.name, "shape": list(values.shape), "base64": text}


def encode_float32(values: np.ndarray) -> EncodedArray:
    """Encodes `values` as float32; larger values become Inf."""
    with np.errstate(over="ignore"):
        return encode_array(np.asarray(values, np.float32))
