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
_BOLD = r"\x1b\[\d*m"


def refusal() -> str:
    """What it says, if one is being raised now; else nothing."""
    error = sys.exception()
    return words_of(error) if isinstance(error, Exception) else ""


def words_of(error: Exception) -> str:
    """The line that says that a number was not finite; empty if the error is about something else."""
    lines = re.sub(_BOLD, "", str(error)).splitlines()
    said = re.compile(_SAID[keras.backend.backend()])
    return next((line.strip() for line in lines if said.search(line)), "")
