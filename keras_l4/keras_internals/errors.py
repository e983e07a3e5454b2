"""Recognizes the errors that a framework raises at a non-finite number.

These errors have no dedicated exception type, so that only their messages identify them.
"""

from __future__ import annotations

import re
import sys

import keras

# torch: its binary cross-entropy, and its anomaly mode. JAX: the option `jax_debug_nans`.
# TensorFlow: `tf.debugging.check_numerics`. torch uses the message of its binary cross-entropy also
# for targets outside of 0 to 1.
_NONFINITE_ERRORS = {
    "torch": r"of input should be between 0 and 1|returned nan values",
    "jax": r"invalid value \((nan|inf)\)",
    "tensorflow": "Detected Infinity or NaN",
}
_TERMINAL_STYLE = r"\x1b\[\d*m"


def raised_nonfinite_message() -> str:
    """Returns `nonfinite_message` of the exception that is being handled, or ""."""
    error = sys.exception()
    return nonfinite_message(error) if isinstance(error, Exception) else ""


def nonfinite_message(error: Exception) -> str:
    """Returns the line of an error message that reports a non-finite number.

    Returns "" if the error is about something else.
    """
    lines = re.sub(_TERMINAL_STYLE, "", str(error)).splitlines()
    pattern = re.compile(_NONFINITE_ERRORS[keras.backend.backend()])
    return next((line.strip() for line in lines if pattern.search(line)), "")
