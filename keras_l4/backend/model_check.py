"""What is said of a model that is none."""

from __future__ import annotations

from typing import Any

import keras


def check_model(model: Any) -> None:
    """Raises a TypeError where `model` is no Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model={model!r} is a {type(model).__name__}; expected a keras.Model.")
