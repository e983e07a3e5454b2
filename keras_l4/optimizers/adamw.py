"""AdamW that records its steps."""

from __future__ import annotations

import keras

from keras_l4.keras_internals import backend_class, save_as
from keras_l4.optimizers.recording import RecordingMixin


@save_as(keras.optimizers.AdamW)
class AdamW(RecordingMixin, backend_class(keras.optimizers.AdamW)):  # type: ignore[misc]
    """`keras.optimizers.AdamW` that can record its effective learning rate.

        α_t / (√v + ε),   α_t = η √(1 - β₂ᵗ) / (1 - β₁ᵗ)

    This is Adam's: the weight decay is decoupled from the gradient, so that it is not part of the
    rate (Loshchilov & Hutter 2019).

    Updates are bit-for-bit those of `keras.optimizers.AdamW`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.AdamW`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.AdamW`.

    Example:

    >>> optimizer = AdamW(1e-3, weight_decay=0.01)
    >>> optimizer.get_config()["weight_decay"]
    0.01
    """
