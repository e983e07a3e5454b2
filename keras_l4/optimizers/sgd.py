"""SGD that records what it does."""

from __future__ import annotations

import keras

from keras_l4.keras_internals import implementation, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import Recording
from keras_l4.recorder.effective_rate import NominalRate


@closed_form(keras.optimizers.SGD)
class SGDRate(NominalRate):
    """η: plain, with momentum and with Nesterov's. The direction is the gradient.

    Momentum's amplification 1 / (1 - μ) is not in it.
    Robbins & Monro 1951; Polyak 1964; Nesterov 1983.
    """


@save_as(keras.optimizers.SGD)
class SGD(Recording, implementation(keras.optimizers.SGD)):  # type: ignore[misc]
    """`keras.optimizers.SGD`, bit for bit, that can record its steps.

    Its effective learning rate is η, also with momentum (Robbins & Monro 1951; Polyak 1964;
    Nesterov 1983). It records while a callback of `keras_l4.callbacks` is in `fit`, and costs
    nothing otherwise; a saved model names `keras.optimizers.SGD`.

    Args:
        **kwargs: Those of `keras.optimizers.SGD`.

    Example:

    >>> optimizer = SGD(learning_rate=0.1, momentum=0.9)
    >>> float(optimizer.learning_rate) == float(keras.optimizers.SGD(0.1).learning_rate)
    True
    """
