"""AdamW that records what it does."""

from __future__ import annotations

import keras

from keras_l4.keras_internals import implementation, save_as
from keras_l4.optimizers.recording import Recording


@save_as(keras.optimizers.AdamW)
class AdamW(Recording, implementation(keras.optimizers.AdamW)):  # type: ignore[misc]
    """`keras.optimizers.AdamW`, bit for bit, that can record its effective learning rate

        α_t / (√v + ε),   α_t = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)

    which is Adam's: the decay is decoupled from the gradient and not in it (Loshchilov & Hutter
    2019). It records while a callback of `keras_l4.callbacks` is in `fit`, and costs nothing
    otherwise; a saved model names `keras.optimizers.AdamW`.

    Args:
        **kwargs: Those of `keras.optimizers.AdamW`.

    Example:

    >>> optimizer = AdamW(1e-3, weight_decay=0.01)
    >>> optimizer.get_config()["weight_decay"]
    0.01
    """
