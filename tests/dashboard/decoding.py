"""The inverse of `keras_l4.dashboard.array_json`, as `static/api.js` implements it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np


def decode_array(encoded: dict[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(encoded["base64"]), np.dtype(encoded["dtype"]))
    return flat.reshape(encoded["shape"])
