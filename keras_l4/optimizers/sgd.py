"""SGD that records its steps."""

from __future__ import annotations

import keras

from keras_l4.keras_internals import backend_class, save_as
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.recorder.effective_rate import NominalRate


@closed_form(keras.optimizers.SGD)
class SGDRate(NominalRate):
    """η: plain, with momentum and with Nesterov momentum. The direction is the gradient.

    The factor 1 / (1 - μ) by which momentum amplifies a constant gradient is not included.
    Sources: Robbins & Monro 1951; Polyak 1964; Nesterov 1983.
    """


@save_as(keras.optimizers.SGD)
class SGD(RecordingMixin, backend_class(keras.optimizers.SGD)):  # type: ignore[misc]
    """`keras.optimizers.SGD` that can record its effective learning rate.

        η

    also with momentum (Robbins & Monro 1951; Polyak 1964; Nesterov 1983).

    Updates are bit-for-bit those of `keras.optimizers.SGD`. Steps are recorded while a callback
    of `keras_l4.callbacks` is passed to `fit`; otherwise there is no overhead. A saved model names
    `keras.optimizers.SGD`, and loads without keras_l4.

    Args:
        **kwargs: The arguments of `keras.optimizers.SGD`.

    Example:

    >>> optimizer = SGD(learning_rate=0.1, momentum=0.9)
    >>> float(optimizer.learning_rate) == float(keras.optimizers.SGD(0.1).learning_rate)
    True
    """
