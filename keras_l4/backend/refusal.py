"""Refusals: what a framework raises, instead of going on, at a number that is not finite."""

from __future__ import annotations

import re
import sys

import keras

# torch's binary cross-entropy and its anomaly mode; JAX's debug_nans; TensorFlow's check_numerics.
# None of them has a class of its own. Of targets, torch says the same where they are no classes.
_SAID = {
    "torch": r"of input should be between 0 and 1|returned nan values",
    "jax": r"invalid value \((nan|inf)\)",
    "tensorflow": "Detected Infinity or NaN",
}


def refusal() -> Exception | None:
    """What is being raised now, if it is one."""
    error = sys.exception()
    return error if isinstance(error, Exception) and is_refusal(error) else None


def is_refusal(error: Exception) -> bool:
    """Whether the active backend raised this because a number was not finite."""
    return bool(re.search(_SAID[keras.backend.backend()], str(error)))
