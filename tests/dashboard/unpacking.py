"""The browser's half of `keras_l4.dashboard.packing`, in NumPy."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np


def unpack(packed: dict[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(packed["base64"]), np.dtype(packed["dtype"]))
    return flat.reshape(packed["shape"])
